-- The user's day that an event falls on: what is stored of it, whether an erasure forbids it, and on which other days the
-- user was here. A day knows all earlier ones (`earlier`) and the next one (`next`), by their day of the month, so that
-- what the user saw is looked up only where it can be.

local SPREAD = 6 * 60 * 60 * 1000 -- a day's keys go up to so long before its midnight + 8 days
local KEPT_DAYS = 8

local parts_of = {} -- by place in dates: what stands between the user and the part in a key; made when first needed

local function key_of(user, place, part)
  local date = parts_of[place]
  if not date then
    date = on(date_at(dates, place))
    parts_of[place] = date
  end
  return users .. user .. date .. part
end

local months -- of dates: what stands between a user and logins in a key

-- The keys of a user's logins, of the months that dates are of.
local function logins_of(user)
  if not months then
    local first, last = string.sub(dates, 1, 7), string.sub(date_at(dates, TOMORROW), 1, 7)
    months = { on(first), first ~= last and on(last) or nil }
  end
  local keys = {}
  for i = 1, #months do
    keys[i] = users .. user .. months[i] .. 'logins'
  end
  return keys
end

local place_of -- by name; the day before the window is one, for who has a clock that is behind

local function place_named(name)
  if not name then
    return nil
  end
  if not place_of then
    place_of = {}
    for place = 1, TOMORROW do
      place_of[name_at(dates, place)] = place
    end
  end
  return place_of[name]
end

local places_of = { [''] = {} } -- by what `earlier` says: places, in order of time
local function places(earlier)
  local found = places_of[earlier]
  if not found then
    found = {}
    for name in string.gmatch(earlier, '%d+') do
      found[#found + 1] = place_named(name)
    end
    table.sort(found)
    places_of[earlier] = found
  end
  return found
end

-- When the user was last erased, ms since 1970, or NEVER.
local function erased_at(user)
  local mark = call('GET', erased_key(shard, redis.sha1hex(user)))
  return mark and number(mark) or NEVER
end

local day = {} -- the one of the event at hand, filled by `enter`

local function neighbour(place)
  local stored = call('HMGET', key_of(day.user, place, 'stats'), 'earlier', 'next')
  return stored[1], stored[2]
end

-- The nearest of the user's days from one place to another: its place, and what it says.
local function nearest(from, to, by)
  for place = from, to, by do
    local earlier, next_day = neighbour(place)
    if earlier then
      return place, earlier, next_day
    end
  end
end

local function with(names, name)
  return names == '' and name or names .. ' ' .. name
end

-- Finds the place of a new day among the user's others, and what these are to say of it.
local function settle_in()
  local place, user = day.place, day.user
  local before, earlier, next_day = nearest(place - 1, place - 1, 1)
  if not before then
    local others = logins_of(user)
    for other = 1, TOMORROW do
      if other < place - 1 or other > place then
        others[#others + 1] = key_of(user, other, 'stats')
      end
    end
    if call('EXISTS', unpack(others)) == 0 then
      day.earlier, day.next, day.tell = '', false, nil
      day.outcome = 'new'
      return
    end
    before, earlier, next_day = nearest(place - 2, 1, -1)
  end

  local name = name_at(dates, place)
  local tell = {} -- key, field, value, …
  local after
  if before then
    local names = {} -- less the days that are long past: a month later a name stands for another day
    for _, other in ipairs(places(earlier)) do
      names[#names + 1] = name_at(dates, other)
    end
    names[#names + 1] = name_at(dates, before)
    day.earlier = table.concat(names, ' ')
    tell[1], tell[2], tell[3] = key_of(user, before, 'stats'), 'next', name
    -- The oldest day that is seen here may be out of sight of a clock ahead, and so not know the days begun there.
    after = before > 1 and place_named(next_day) or before == 1 and nearest(place + 1, TOMORROW, 1)
  else
    day.earlier = ''
    after = nearest(place + 1, TOMORROW, 1)
  end
  day.next = after and name_at(dates, after) or false
  while after do
    local others, beyond = neighbour(after)
    if not others then
      break
    end
    tell[#tell + 1] = key_of(user, after, 'stats')
    tell[#tell + 1] = 'earlier'
    tell[#tell + 1] = with(others, name)
    after = place_named(beyond)
  end
  day.tell = tell
end

-- What is read of the day: these fields of stats, then whether it has seen the things that the event brings.
local FIELDS = { 'earlier', 'next', 'erased_until', 'views', 'active_ms', 'first', 'last', 'pages', 'seen' }
local EARLIER, NEXT, ERASED_UNTIL, VIEWS, ACTIVE, FIRST, LAST, PAGES, SEEN = 1, 2, 3, 4, 5, 6, 7, 8, 9
local THINGS_FROM = #FIELDS

local function read_day(stats, things)
  if not things then
    return call('HMGET', stats, unpack(FIELDS))
  end
  local fields = { unpack(FIELDS) }
  for i = 1, #things do
    fields[THINGS_FROM + i] = things[i]
  end
  return call('HMGET', stats, unpack(fields))
end

-- Reads the day; returns why an event at that time cannot count, or nothing. `things` may be nil.
local function enter(user, at, things)
  local place = floor((at - midnight) / DAY) + TODAY
  if place < OLDEST then
    return at <= erased_at(user) and 'erased' or 'expired'
  end
  if place > TOMORROW then
    return 'future'
  end
  local stats = key_of(user, place, 'stats')
  local stored = read_day(stats, things)
  local is_new = not stored[EARLIER]
  local erased = NEVER
  if is_new then
    erased = erased_at(user)
  elseif stored[ERASED_UNTIL] then
    -- The mark need not be asked again: an erasure drops the day, and the day's first event after it has asked.
    erased = number(stored[ERASED_UNTIL])
  end
  if at <= erased then
    return 'erased'
  end
  local start = (place - TODAY) * DAY -- the day's midnight, from today's
  day.user, day.place, day.stats, day.stored = user, place, stats, stored
  day.is_new, day.erased, day.start, day.ms = is_new, erased, start, at - midnight - start
  day.left, day.outcome = nil, 'recorded'
  if is_new then
    settle_in()
    if day.outcome == 'new' and must_be_known then
      return 'unknown'
    end
  else
    day.earlier, day.next = stored[EARLIER], stored[NEXT]
  end
end

-- What is left of the keys of the user's day, ms; relative to the caller's clock. They have one end, fixed by day and user.
local function time_left()
  if not day.left then
    local spread = floor(tonumber(string.sub(redis.sha1hex(day.user), 1, 4), 16) / 65536 * SPREAD)
    day.left = day.start + KEPT_DAYS * DAY - now - spread
  end
  return day.left
end

-- Writes these fields, and what makes a new day one: its place among the others, its end.
local function write_day(fields)
  if not day.is_new then
    if #fields > 0 then
      call('HSET', day.stats, unpack(fields))
    end
    return
  end
  call('HSET', day.stats, 'earlier', day.earlier, unpack(fields))
  if day.next then
    call('HSET', day.stats, 'next', day.next)
  end
  if midnight + day.start <= day.erased then
    call('HSET', day.stats, 'erased_until', string.format('%.0f', day.erased))
  end
  call('PEXPIRE', day.stats, time_left())
  if day.tell then
    for i = 1, #day.tell, 3 do
      call('HSET', day.tell[i], day.tell[i + 1], day.tell[i + 2])
    end
  end
end

-- Whether the days beside an event's know its event_id: an event that is sent again may have got another time.
local function known_beside(member, part)
  for beside = day.place - 1, math.min(day.place + 1, TOMORROW), 2 do
    if holds(key_of(day.user, beside, part), member) then
      return true
    end
  end
  return false
end
