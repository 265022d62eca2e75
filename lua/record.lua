#!lua
-- Record events of one shard: for each, the user's day moves, or nothing does.
--
-- KEYS[1]  ff:{0}      what every key of the shard begins with. The keys below are derived from it, the user and the day,
--                      so they are of the same slot.
--   reads and writes   ff:{0}:user:<user>:<day>:stats, :pages and :visits
--   reads              ff:{0}:erased:<sha1 of user>, and :visits of the days beside the event's, if it has an event_id
--
-- ARGV[1]  midnight    of today, ms since 1970
-- ARGV[2]  now         ms since that midnight
-- ARGV[3]  gap         longest step between neighbouring views that counts as time spent, ms
-- ARGV[4]  max_views   of a user and day
-- ARGV[5]  max_pages   distinct names of a user and day; further ones count under (other)
-- ARGV[6]  dates       nine of them in one string, '2026-11-14 … 2026-11-22': the day before the window, its seven days,
--                      tomorrow
-- then for each event
--   user               percent-encoded, as it stands in keys
--   at                 ms since 1970
--   member             what is unique about the view: 'e:<event_id>', or '<ms since midnight, base 36>.<page digest>'
--   page               its name
--
-- Returns one string per event, in their order:
--   recorded   it counts, and the next read sees it
--   duplicate  it was counted before
--   erased     it happened before its user's erasure
--   expired    it is older than the window
--   capped     its user has had max_views that day
--   future     it lies after tomorrow
--   damaged    a key of the user's holds something else than it should: nothing was changed
--
-- Redis does not roll back, so an event reads all that could fail before its first write, and whatever fails until then
-- makes it `damaged`. That first write, ZADD, is a check as well: it fails on a wrong type without a change, and it answers
-- 0 to a duplicate. The second, ZINCRBY, says whether the page is news; if it fails, the first is taken back. What follows
-- cannot fail.

-- @include keys

local DAY = 24 * 60 * 60 * 1000
local SPREAD = 6 * 60 * 60 * 1000 -- a day's keys go up to so long before its midnight + 8 days
local KEPT_DAYS = 8
local OLDEST, TODAY = 2, 8 -- places in dates
local OTHER = '(other)'
local NEVER = -math.huge

local call, floor = redis.call, math.floor

local shard = KEYS[1]
local midnight = tonumber(ARGV[1])
local now = tonumber(ARGV[2])
local gap = tonumber(ARGV[3])
local max_views = tonumber(ARGV[4])
local max_pages = tonumber(ARGV[5])
local dates = ARGV[6]

local users = users_prefix(shard)
local suffixes = {} -- by place in dates, made when first needed
local wrote -- whether the event at hand has changed something

-- What follows the user in the keys of a day: stats, pages, visits.
local function suffixes_of(place)
  local found = suffixes[place]
  if not found then
    local date = date_at(dates, place)
    found = { stats_suffix(date), pages_suffix(date), visits_suffix(date) }
    suffixes[place] = found
  end
  return found[1], found[2], found[3]
end

local function number(text)
  return tonumber(text) or error('not a number')
end

-- When the user was last erased, ms since 1970, or NEVER.
local function erased_at(user_hash)
  local mark = call('GET', erased_key(shard, user_hash))
  return mark and number(mark) or NEVER
end

local function holds(sorted_set, member)
  return call('ZSCORE', sorted_set, member) ~= false
end

local function step(from, to)
  local ms = to - from
  return ms <= gap and ms or 0
end

-- What a view between two others adds to the day's active time: gap(a, c) becomes gap(a, b) + gap(b, c).
local function step_between(visits, at)
  local earlier = call('ZRANGE', visits, at, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')
  local later = call('ZRANGE', visits, at, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
  local before, after = number(earlier[2]), number(later[2])
  return step(before, at) + step(at, after) - step(before, after)
end

-- Whether the days beside an event's know its event_id: a view that is sent again may have got another time.
local function known_beside(user, place, member)
  for beside = place - 1, math.min(place + 1, TODAY + 1), 2 do
    local _, _, visits = suffixes_of(beside)
    if holds(users .. user .. visits, member) then
      return true
    end
  end
  return false
end

local function record_view(user, at, member, page)
  local place = floor((at - midnight) / DAY) + TODAY
  if place < OLDEST then
    return at <= erased_at(redis.sha1hex(user)) and 'erased' or 'expired'
  end
  if place > TODAY + 1 then
    return 'future'
  end

  local stats, pages, visits = suffixes_of(place)
  stats, pages, visits = users .. user .. stats, users .. user .. pages, users .. user .. visits
  local stored = call('HMGET', stats, 'views', 'active_ms', 'first', 'last', 'pages', 'erased_until')
  local is_new_day = not stored[1]
  local views, active, first, last, page_count = 0, 0, nil, nil, 0
  local erased, user_hash = NEVER, nil
  if is_new_day then
    user_hash = redis.sha1hex(user)
    erased = erased_at(user_hash)
  else
    views, active, page_count = number(stored[1]), number(stored[2]), number(stored[5])
    first, last = number(stored[3]), number(stored[4])
    -- The mark need not be asked again: an erasure drops the day, and the day's first view after it has asked.
    if stored[6] then
      erased = number(stored[6])
    end
  end

  if at <= erased then
    return 'erased'
  end
  if string.sub(member, 1, 2) == 'e:' and known_beside(user, place, member) then
    return 'duplicate'
  end
  if views >= max_views then
    return holds(visits, member) and 'duplicate' or 'capped'
  end
  if page_count >= max_pages and not holds(pages, page) then
    page = OTHER
  end

  local ms = at - (midnight + (place - TODAY) * DAY)
  if is_new_day then
    first, last = ms, ms
  elseif ms >= last then
    active = active + step(last, ms)
    last = ms
  elseif ms <= first then
    active = active + step(ms, first)
    first = ms
  else
    active = active + step_between(visits, ms)
  end

  if call('ZADD', visits, 'NX', ms, member) == 0 then
    return 'duplicate'
  end
  local page_views = redis.pcall('ZINCRBY', pages, 1, page)
  if type(page_views) == 'table' then
    call('ZREM', visits, member)
    error(page_views)
  end
  wrote = true
  if page_views == '1' and page ~= OTHER then
    page_count = page_count + 1
  end
  call('HSET', stats, 'views', views + 1, 'active_ms', active, 'first', first, 'last', last, 'pages', page_count)

  if is_new_day then
    if at - ms <= erased then
      call('HSET', stats, 'erased_until', string.format('%.0f', erased))
    end
    -- Relative to the caller's clock. The keys of a day have one end, fixed by day and user.
    local spread = floor(tonumber(string.sub(user_hash, 1, 4), 16) / 65536 * SPREAD)
    local ttl = (place - TODAY + KEPT_DAYS) * DAY - now - spread
    call('PEXPIRE', stats, ttl)
    call('PEXPIRE', pages, ttl)
    call('PEXPIRE', visits, ttl)
  end
  return 'recorded'
end

local outcomes = {}
for i = 7, #ARGV, 4 do
  wrote = false
  local sound, outcome = pcall(record_view, ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3])
  if not sound and wrote then
    error(outcome) -- cannot be; if it is, it must not look like damage
  end
  outcomes[#outcomes + 1] = sound and outcome or 'damaged'
end
return outcomes
