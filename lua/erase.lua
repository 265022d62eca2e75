#!lua flags=allow-oom
-- Forget a user: drop all that is stored of them and leave a mark, so that late events do not bring them back.
-- It runs when memory is full, since it frees more than the mark takes.
--
-- KEYS[1]   ff:{0}:erased:<sha1 of user>     the mark
-- KEYS[2…]  ff:{0}:user:<user>:<day> and ff:{0}:user:<user>:<day>:visits, in pairs, for every day that can hold anything
--
-- ARGV[1]   now        ms since 1970
-- ARGV[2]   mark_ttl   ms
-- then for each pair of keys the day's midnight, ms since 1970
--
-- Returns { erased_at, keys_deleted, counts_corrected }
--   erased_at          as a string, ms since 1970: now, or the newest view that was stored, or an earlier erasure's time,
--                      whichever is latest
--   counts_corrected   how many counts about everybody lost this user

local mark = KEYS[1]
local now = tonumber(ARGV[1])
local mark_ttl = tonumber(ARGV[2])

-- A key of the wrong type is no reason to keep a person: what cannot be read is dropped all the same.
local function number_in(reply)
  return type(reply) == 'string' and tonumber(reply) or 0
end

local erased_at = math.max(now, number_in(redis.pcall('GET', mark)))
local keys_deleted = 0
local counts_corrected = 0
for i = 2, #KEYS, 2 do
  local day, visits = KEYS[i], KEYS[i + 1]
  local midnight = tonumber(ARGV[2 + i / 2])
  local newest = redis.pcall('ZRANGE', visits, -1, -1, 'WITHSCORES')
  local last = math.max(number_in(redis.pcall('HGET', day, 'last')), number_in(newest[2]))
  if last > 0 then
    erased_at = math.max(erased_at, midnight + last)
  end
  keys_deleted = keys_deleted + redis.call('UNLINK', day, visits)
end

erased_at = string.format('%.0f', erased_at)
redis.call('SET', mark, erased_at, 'PX', mark_ttl)
return { erased_at, keys_deleted, counts_corrected }
