#!lua flags=no-writes
-- What users of one shard did in the window. Reads day buckets only, never single views.
--
-- KEYS[1]  ff:{0}   what every key of the shard begins with
--   reads           ff:{0}:user:<user>:<day> for the seven days, derived from it: the same slot
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
  local views, active, days = 0, 0, 0
  local sums = {}
  local last -- of the day before, in ms since this day's midnight
  for i = 1, WINDOW do
    local day, damaged = read_day(day_key(shard, user, date_at(dates, i)), sums)
    if damaged then
      return 'damaged'
    end
    if last then
      last = last - DAY
    end
    if day then
      views = views + day.views
      active = active + day.active_ms
      days = days + 1
      if last and day.first - last <= gap then
        active = active + day.first - last
      end
      last = day.last
    end
  end
  return { views, active, days, most_viewed(sums) }
end

local profiles = {}
for i = 3, #ARGV do
  profiles[#profiles + 1] = profile(ARGV[i])
end
return profiles
