#!lua flags=no-writes
-- Distinct visitors of a thing over days in a row, of one shard.
--
-- KEYS[1]  ff:{0}   what every key of the shard begins with
--   reads           ff:{0}:<day>:visitors and :returning, derived from it: the same slot
-- KEYS[2]  ff:{0}:  never there, as little as the first: two keys keep a cluster from running half a slot
--
-- ARGV[1]  dates    the days in one string, oldest first, at most nine
-- ARGV[2]  thing    'name:<page>', 'url:<url>', 'site:<site>', 'site:<site>:name:<page>' or 'site:<site>:url:<url>'
--
-- Returns how many users saw it on one of the days. Fails if a key holds something else than it should.

-- @include lib/keys

local shard, dates, thing = KEYS[1], ARGV[1], ARGV[2]
local days = (#dates + 1) / 11

local total = 0
for i = 1, days do
  local date = date_at(dates, i)
  local visitors = redis.call('HGET', count_key(shard, date, 'visitors'), thing)
  if visitors then
    total = total + visitors
    if i > 1 then
      local steps = {} -- those who had come on an earlier one of the days, and were counted there
      for step = 1, i - 1 do
        steps[step] = step .. ':' .. thing
      end
      for _, returning in pairs(redis.call('HMGET', count_key(shard, date, 'returning'), unpack(steps))) do
        total = total - (returning or 0)
      end
    end
  end
end
return total
