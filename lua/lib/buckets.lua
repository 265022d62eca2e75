-- Reading a user's days.

-- The numbers of a day: views, active_ms, first and last. nil if there was no view. Second value true: damaged.
local function read_stats(day)
  local stats = redis.pcall('HMGET', stats_key(day), 'views', 'active_ms', 'first', 'last')
  if stats.err then
    return nil, true
  end
  if not stats[1] then
    return nil
  end
  for i = 1, 4 do
    stats[i] = tonumber(stats[i])
    if not stats[i] then
      return nil, true
    end
  end
  return stats
end

-- The page with the most views over some days; a tie goes to the name that sorts first, byte by byte. That is a sorted
-- set's own order (Lua's < would follow the locale), once the views are negative. (other) stands for many names, so it
-- never wins. Second value true: damaged.
local function most_viewed(days)
  local union = { 'ZUNION', #days }
  for i = 1, #days do
    union[2 + i] = pages_key(days[i])
  end
  union[#union + 1] = 'WEIGHTS'
  for _ = 1, #days do
    union[#union + 1] = -1
  end
  local pages = redis.pcall(unpack(union))
  if pages.err then
    return nil, true
  end
  return pages[pages[1] == '(other)' and 2 or 1] or false
end
