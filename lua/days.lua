#!lua flags=no-writes
-- One user's window, day by day. A step across midnight is split there, so that the days add up to the profile.
--
-- KEYS[1]  ff:{0}   what every key of the shard begins with
--   reads           ff:{0}:user:<user>:<day>:stats and :pages for the seven days, derived from it: the same slot
-- KEYS[2]  ff:{0}:  never there, as little as the first: two keys keep a cluster from running half a slot
--
-- ARGV[1]  gap      longest step between neighbouring views that counts as time spent, ms
-- ARGV[2]  dates    the seven days of the window in one string, oldest first
-- ARGV[3]  user     percent-encoded
--
-- Returns seven rows, oldest first: { views, active_ms, most viewed page or false }; or the string 'damaged'.

-- @include lib/keys
-- @include lib/buckets

local function days(user)
  local rows = {}
  local last_before -- last view of the day before, in ms since this day's midnight
  for i = 1, WINDOW do
    local views, active, first, last = read_stats(user .. stats_of[i])
    if views then
      rows[i] = { views, active, most_viewed({ 'ZUNION', 0, user .. pages_of[i] }) }
      if last_before and first - last_before <= gap then
        rows[i - 1][2] = rows[i - 1][2] - last_before
        rows[i][2] = rows[i][2] + first
      end
      last_before = last - DAY
    else
      rows[i] = { 0, 0, false }
      last_before = nil
    end
  end
  return rows
end

return sound(days, ARGV[3])
