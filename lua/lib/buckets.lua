-- Reading a user's days.

-- One day, or nil if there was nothing on it. Adds the views of its pages to `sums`, by field (`page:<name>`). Second
-- value true: the key holds something else.
local function read_day(key, sums)
  local flat = redis.pcall('HGETALL', key)
  if flat.err then
    return nil, true
  end
  if #flat == 0 then
    return nil
  end
  local day = {}
  for i = 1, #flat, 2 do
    local field, value = flat[i], tonumber(flat[i + 1])
    if not value then
      return nil, true
    end
    if string.sub(field, 1, 5) == 'page:' then
      sums[field] = (sums[field] or 0) + value
    else
      day[field] = value
    end
  end
  if not (day.views and day.active_ms and day.first and day.last) then
    return nil, true
  end
  return day
end

-- Whether a sorts before b, byte by byte. Lua's own < follows the locale. Names are compared by halves, since a loop
-- over single bytes would take a second on thousands of long names that differ in their last letter.
local function sorts_before(a, b)
  local low, high = 0, math.min(#a, #b) -- a and b agree in `low` bytes, and differ in some byte up to `high`, or nowhere
  if string.sub(a, 1, high) == string.sub(b, 1, high) then
    return #a < #b
  end
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if string.sub(a, low + 1, middle) == string.sub(b, low + 1, middle) then
      low = middle
    else
      high = middle
    end
  end
  return string.byte(a, high) < string.byte(b, high)
end

-- The name with the most views; a tie goes to the one that sorts first. (other) stands for many, so it never wins.
local function most_viewed(sums)
  local best, most = false, 0
  for field, views in pairs(sums) do
    if field ~= 'page:(other)' and (views > most or (views == most and sorts_before(field, best))) then
      best, most = field, views
    end
  end
  return best and string.sub(best, 6)
end
