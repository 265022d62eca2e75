#!lua flags=allow-oom
-- Put aside what of an outbox's entry can't be read, for whoever can. It runs when memory is full, since nothing behind it
-- would leave the outbox otherwise.
--
-- KEYS[1]  ff:{0}      what every key of the shard begins with. The key below is derived from it: the same slot.
--   written            ff:{0}:outbox:dead
-- KEYS[2]  ff:{0}:     never there, as little as the first: two keys keep a cluster from running half a slot
--
-- ARGV[1]  oldest      what was put aside before then goes, ms since 1970
-- ARGV[2]  ttl         of all of them after the last one, ms
-- ARGV[3]  most        how many are kept
-- ARGV[4]  entry       where it stood in the outbox, '1795228645033-0'
-- then field, value, … as they stood there
--
-- Returns how many are there. The same entry again is put aside once.

-- @include lib/keys

local dead = dead_key(KEYS[1])
local entry = ARGV[4]

local last = redis.call('XREVRANGE', dead, '+', '-', 'COUNT', 1)[1]
if not (last and last[2][1] == 'entry' and last[2][2] == entry) then
  redis.call('XADD', dead, '*', 'entry', entry, unpack(ARGV, 5))
end
redis.call('XTRIM', dead, 'MAXLEN', ARGV[3])
redis.call('XTRIM', dead, 'MINID', ARGV[1])
redis.call('PEXPIRE', dead, ARGV[2])
return redis.call('XLEN', dead)
