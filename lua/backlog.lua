#!lua flags=no-writes
-- How much waits for the archive, of one shard.
--
-- KEYS[1]  ff:{0}   what every key of the shard begins with
--   reads           ff:{0}:outbox and :outbox:dead, derived from it: the same slot
-- KEYS[2]  ff:{0}:  never there, as little as the first: two keys keep a cluster from running half a slot
--
-- Returns { entries, bytes, since, dead }
--   entries   each with the events of one call, or an erasure
--   bytes     of memory, by a sample of them
--   since     when the oldest of them came, ms since 1970, as a string; false where there is none
--   dead      entries that could not be read

-- @include lib/keys

local outbox = outbox_key(KEYS[1])
local entries = redis.call('XLEN', outbox)
local dead = redis.call('XLEN', dead_key(KEYS[1]))
if entries == 0 then
  return { 0, 0, false, dead }
end
local first = redis.call('XRANGE', outbox, '-', '+', 'COUNT', 1)[1]
return { entries, redis.call('MEMORY', 'USAGE', outbox), string.match(first[1], '^%d+'), dead }
