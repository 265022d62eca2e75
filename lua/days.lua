#!lua flags=no-writes
-- One user's window, day by day. A step across midnight is split there, so that the days add up to the profile.
--
-- KEYS[1]  ff:{0}   what every key of the shard begins with
--   reads           ff:{0}:user:<user>:<day>:stats and :pages for the seven days, derived from it: the same slot
--
-- ARGV[1]  gap      longest step between neighbouring views that counts as time spent, ms
-- ARGV[2]  dates    the seven days of the window in one string, oldest first
-- ARGV[3]  user     percent-encoded
--
-- Returns seven rows, oldest first: { views, active_ms, most viewed page or false }; or the string 'damaged'.

-- @include keys
-- @include buckets

local DAY = 24 * 60 * 60 * 1000
local WINDOW = 7

local shard = KEYS[1]
local gap = tonumber(ARGV[1])
local dates = ARGV[2]
local user = ARGV[3]

local rows = {}
local before -- the stats of the day before, if it had views
for i = 1, WINDOW do
  local day = day_key(shard, user, date_at(dates, i))
  local stats, damaged = read_stats(day)
  local page = false
  if stats then
    page, damaged = most_viewed({ day })
  end
  if damaged then
    return 'damaged'
  end
  if stats then
    rows[i] = { stats[1], stats[2], page }
    if before and DAY - before[4] + stats[3] <= gap then
      rows[i - 1][2] = rows[i - 1][2] + DAY - before[4]
      rows[i][2] = rows[i][2] + stats[3]
    end
  else
    rows[i] = { 0, 0, false }
  end
  before = stats
end
return rows
