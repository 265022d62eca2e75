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

local function profile(user)
  -- Most users are unknown or seen on a few recent days: count the days first, then go back until all were met.
  local left = redis.call('EXISTS', user .. stats_of[1], user .. stats_of[2], user .. stats_of[3], user .. stats_of[4],
    user .. stats_of[5], user .. stats_of[6], user .. stats_of[7])
  if left == 0 then
    return { 0, 0, 0, false }
  end

  local views, active, days = 0, 0, 0
  local union = { 'ZUNION', 0 }
  local first_after -- first view of the day after, in ms since this day's midnight
  for i = WINDOW, 1, -1 do
    local day_views, day_active, first, last = read_stats(user .. stats_of[i])
    if day_views then
      views = views + day_views
      active = active + day_active
      if first_after and first_after - last <= gap then
        active = active + first_after - last
      end
      first_after = first + DAY
      days = days + 1
      union[2 + days] = user .. pages_of[i]
      if days == left then
        break
      end
    else
      first_after = nil
    end
  end
  return { views, active, days, most_viewed(union) }
end

local profiles = {}
for i = 3, #ARGV do
  profiles[i - 2] = sound(profile, ARGV[i])
end
return profiles
