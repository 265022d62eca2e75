#!lua flags=no-writes
-- What users of one shard did in the window. Reads day buckets only, never single views.
--
-- KEYS[1]  ff:{0}   what every key of the shard begins with
--   reads           ff:{0}:user:<user>:<day>:stats and :pages for the seven days, derived from it: the same slot
--
-- ARGV[1]  gap      longest step between neighbouring views that counts as time spent, ms
-- ARGV[2]  dates    the seven days of the window in one string, oldest first
-- then the users, percent-encoded
--
-- Returns for each user, in their order, either
--   { views, active_ms, days with a view, most viewed page or false }
-- or the string 'damaged', if a key of the user's holds something else than it should.

-- @include keys
-- @include buckets

local DAY = 24 * 60 * 60 * 1000
local WINDOW = 7

local shard = KEYS[1]
local gap = tonumber(ARGV[1])
local dates = ARGV[2]

local function profile(user)
  -- Most users are unknown or seen on a few recent days: count the days first, then go back until all were met.
  local days, exists = {}, { 'EXISTS' }
  for i = 1, WINDOW do
    days[i] = day_key(shard, user, date_at(dates, i))
    exists[i + 1] = stats_key(days[i])
  end
  local left = redis.call(unpack(exists))
  local views, active = 0, 0
  local active_days = {}
  local first -- view of the day after, in ms since this day's midnight
  for i = WINDOW, 1, -1 do
    if left == 0 then
      break
    end
    local stats, damaged = read_stats(days[i])
    if damaged then
      return 'damaged'
    end
    if stats then
      left = left - 1
      active_days[#active_days + 1] = days[i]
      views = views + stats[1]
      active = active + stats[2]
      if first and first - stats[4] <= gap then
        active = active + first - stats[4]
      end
      first = stats[3] + DAY
    else
      first = nil
    end
  end
  if views == 0 then
    return { 0, 0, 0, false }
  end
  local page, damaged = most_viewed(active_days)
  if damaged then
    return 'damaged'
  end
  return { views, active, #active_days, page }
end

local profiles = {}
for i = 3, #ARGV do
  profiles[#profiles + 1] = profile(ARGV[i])
end
return profiles
