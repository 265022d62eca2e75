-- Distinct visitors of a thing: a page by name or url, a site, a page of a site. Each day counts the users who saw it
-- (visitors), and of these those who saw it before, by how many days it was (returning). Over any days in a row, the
-- distinct visitors are all visitors, less those whose day before lies among these days. A day that comes late, between
-- two others, splits what was one step: that is how time spent is kept, too.
--
-- Whether a thing is news is asked of the user's own days: of `pages` for a page by its name, and for all else of `stats`,
-- where each thing that was seen is a field.

local MAX_THINGS = 4 * max_pages -- of a user and day: four for each page

local visitors, returning = {}, {} -- tallies, by place

-- Fails if a key of the day holds something else.
local function open_counts(place)
  if not visitors[place] then
    local date = date_at(dates, place)
    local ttl = (place - TODAY + KEPT_DAYS) * DAY - now
    returning[place] = open_tally(count_key(shard, date, 'returning'), ttl)
    visitors[place] = open_tally(count_key(shard, date, 'visitors'), ttl)
  end
end

local STEPS = { '1:', '2:', '3:', '4:', '5:', '6:', '7:', '8:' }

-- The user sees a thing for the first time on a day; `before` and `after` are the nearest other days on which they did.
local function count_visitor(thing, place, before, after)
  count(visitors[place], thing, 1)
  if before then
    count(returning[place], STEPS[place - before] .. thing, 1)
  end
  if after then
    count(returning[after], STEPS[after - place] .. thing, 1)
    if before then
      count(returning[after], STEPS[after - before] .. thing, -1)
    end
  end
end

-- The nearest days on which the user saw a page by its name; opens the counts that will move.
local function nearest_views(page)
  local user, before, after = day.user, nil, nil
  open_counts(day.place)
  local earlier = places(day.earlier)
  for i = #earlier, 1, -1 do
    if holds(key_of(user, earlier[i], 'pages'), page) then
      before = earlier[i]
      break
    end
  end
  local place = place_named(day.next)
  while place and not after do
    if holds(key_of(user, place, 'pages'), page) then
      after = place
      open_counts(after)
    else
      place = place_named(call('HGET', key_of(user, place, 'stats'), 'next'))
    end
  end
  return before, after
end

-- Which of some things the user has not seen on the day, as { [i] = thing, before = { [i] = place }, after = { … } }; opens
-- the counts that will move. `stored` says of each thing whether the day has it. Nil if it has all; nil and how many where
-- there is no room for them.
local function unseen(things, stored)
  local new = {}
  for i = 1, #things do
    if not stored[i + THINGS_FROM] then
      new[#new + 1] = things[i]
    end
  end
  if #new == 0 then
    return
  end
  local held = number(stored[SEEN] or 0)
  if held + #new > MAX_THINGS then
    return nil, #new
  end
  open_counts(day.place)
  local before, after = {}, {}
  new.before, new.after, new.held = before, after, held
  local earlier = places(day.earlier)
  for i = #earlier, 1, -1 do
    local there = call('HMGET', key_of(day.user, earlier[i], 'stats'), unpack(new))
    for j = 1, #new do
      if there[j] and not before[j] then
        before[j] = earlier[i]
      end
    end
  end
  local place = place_named(day.next)
  while place do
    local there = call('HMGET', key_of(day.user, place, 'stats'), 'next', unpack(new))
    for j = 1, #new do
      if there[j + 1] and not after[j] then
        after[j] = place
        open_counts(place)
      end
    end
    place = place_named(there[1])
  end
  return new
end

-- Adds to the fields that the day is to have, and counts.
local function count_unseen(new, fields)
  local n = #fields
  fields[n + 1], fields[n + 2] = 'seen', new.held + #new
  for i = 1, #new do
    fields[n + 2 * i + 1], fields[n + 2 * i + 2] = new[i], ''
    count_visitor(new[i], day.place, new.before[i], new.after[i])
  end
end

-- Whether the site, which is the last of the things, is among what was not seen.
local function is_new_on_site(new, things)
  return new and new[#new] == things[#things]
end
