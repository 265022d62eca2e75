#!lua flags=no-writes
-- What users of one shard did in the window. Reads day buckets only, never single views.
--
-- KEYS[1]  ff:{0}   what every key of the shard begins with
--   reads           ff:{0}:user:<user>:<day>:stats and :pages for the seven days, derived from it: the same slot
-- KEYS[2]  ff:{0}:  never there, as little as the first: two keys keep a cluster from running half a slot
--
-- ARGV[1]  gap      longest step between neighbouring views that counts as time spent, ms
-- ARGV[2]  dates    the seven days of the window in one string, oldest first
-- then the users, percent-encoded
--
-- Returns for each user, in their order, either
--   { views, active_ms, days with a view, most viewed page or false }
-- or the string 'damaged', if a key of the user's holds something else than it should.

-- @include lib/keys
-- @include lib/buckets

-- Which days of the window are among some, given by their day of the month.
local days_of = {}
local function days_among(names)
  local found = days_of[names]
  if not found then
    found = {}
    for i = 1, WINDOW do
      found[i] = string.find(names, name_at(ARGV[2], i), 1, true) ~= nil
    end
    days_of[names] = found
  end
  return found
end

-- Asked of who was not here today nor yesterday.
local function is_unknown(user)
  return redis.call('EXISTS', user .. stats_of[1], user .. stats_of[2], user .. stats_of[3], user .. stats_of[4],
    user .. stats_of[5]) == 0
end

local function profile(user)
  local views, active, days = 0, 0, 0
  local union = { 'ZUNION', 0 }
  local there -- which earlier days there are: a day knows, so the first one that is met says it
  local first_after -- first view of the day after, in ms since this day's midnight
  for i = WINDOW, 1, -1 do
    local day_views, day_active, first, last, earlier
    if not there or there[i] then
      day_views, day_active, first, last, earlier = read_stats(user .. stats_of[i])
    end
    if earlier then
      there = there or days_among(earlier)
    elseif i == WINDOW - 1 and not there and is_unknown(user) then
      break
    end
    if day_views then
      views = views + day_views
      active = active + day_active
      if first_after and first_after - last <= gap then
        active = active + first_after - last
      end
      first_after = first + DAY
      days = days + 1
      union[2 + days] = user .. pages_of[i]
    else
      first_after = nil
    end
  end
  return { views, active, days, days > 0 and most_viewed(union) }
end

local profiles = {}
for i = 3, #ARGV do
  profiles[i - 2] = sound(profile, ARGV[i])
end
return profiles
