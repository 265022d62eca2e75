-- Reading users' days. Needs keys.

local DAY = 24 * 60 * 60 * 1000
local WINDOW = 7

local prefix = users_prefix(KEYS[1])
local gap = tonumber(ARGV[1])
local stats_of, pages_of = {}, {} -- by day of the window, oldest first: what follows the user in a key
for i = 1, WINDOW do
  local date = date_at(ARGV[2], i)
  stats_of[i], pages_of[i] = on(date) .. 'stats', on(date) .. 'pages'
end

local function number(text)
  return tonumber(text) or error('not a number')
end

-- The numbers of a day: views, active_ms, first, last; nil if there was no view. Then the user's earlier days, if there was
-- any event. Fails if the key holds something else.
local function read_stats(key)
  local stats = redis.call('HMGET', key, 'earlier', 'views', 'active_ms', 'first', 'last')
  if stats[2] then
    return number(stats[2]), number(stats[3]), number(stats[4]), number(stats[5]), stats[1]
  end
  return nil, nil, nil, nil, stats[1]
end

local COUNTS = { '1', '2', '3', '4', '5', '6', '7' } -- as text: a number would go through printf

-- The page with the most views over some days; a tie goes to the name that sorts first, byte by byte. That is a sorted
-- set's own order (Lua's < would follow the locale), once the views are negative. (other) stands for many names, so it
-- never wins. `union` is { 'ZUNION', 0, keys of pages … }.
local function most_viewed(union)
  local days = #union - 2
  union[2] = COUNTS[days]
  union[days + 3] = 'WEIGHTS'
  for i = 1, days do
    union[days + 3 + i] = '-1'
  end
  local pages = redis.call(unpack(union))
  return pages[pages[1] == '(other)' and 2 or 1] or false
end

-- What a reading gives, or 'damaged' if a key of the user's holds something else than it should.
local function sound(read, user)
  local read_all, result = pcall(read, prefix .. user)
  return read_all and result or 'damaged'
end
