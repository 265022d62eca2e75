#!lua flags=allow-oom
-- Forget a user: drop all that is stored of them and leave a mark, so that late events do not bring them back.
-- It runs when memory is full, since it frees more than the mark takes.
--
-- KEYS[1]   ff:{0}:erased:<sha1 of user>     the mark
-- KEYS[2…]  ff:{0}:user:<user>:<day>:stats, :pages and :visits, in threes, for every day that can hold anything
--
-- ARGV[1]   now        ms since 1970
-- ARGV[2]   mark_ttl   ms
-- then for each day its midnight, ms since 1970
--
-- Returns { erased_at, keys_deleted, counts_corrected }
--   erased_at          as a string, ms since 1970: now, or the newest view that was stored, or an earlier erasure's time,
--                      whichever is latest
--   counts_corrected   how many counts about everybody lost this user

local DAY = 24 * 60 * 60 * 1000

local mark = KEYS[1]
local now = tonumber(ARGV[1])
local mark_ttl = tonumber(ARGV[2])

local erased_at = now
local keys_deleted = 0
local counts_corrected = 0

-- A key that cannot be read is no reason to keep a person, nor to refuse them for ever: it is dropped all the same, and
-- a time that no view can have is ignored.
local function reach_to(midnight, reply)
  local ms = type(reply) == 'string' and tonumber(reply)
  if ms and midnight + ms > erased_at and midnight + ms < now + 3 * DAY then
    erased_at = midnight + ms
  end
end

reach_to(0, redis.pcall('GET', mark))
for i = 2, #KEYS, 3 do
  local stats, pages, visits = KEYS[i], KEYS[i + 1], KEYS[i + 2]
  local midnight = tonumber(ARGV[2 + (i + 1) / 3])
  reach_to(midnight, redis.pcall('HGET', stats, 'last'))
  reach_to(midnight, redis.pcall('ZRANGE', visits, -1, -1, 'WITHSCORES')[2])
  keys_deleted = keys_deleted + redis.call('UNLINK', stats, pages, visits)
end

erased_at = string.format('%.0f', erased_at)
redis.call('SET', mark, erased_at, 'PX', mark_ttl)
return { erased_at, keys_deleted, counts_corrected }
