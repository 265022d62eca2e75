#!lua flags=allow-oom
-- Move an entry of an outbox that can't be read to where whoever can may find it. It runs when memory is full, since nothing
-- behind it would leave the outbox otherwise.
--
-- KEYS[1]  ff:{0}      what every key of the shard begins with. The keys below are derived from it: the same slot.
--   moved from, to     ff:{0}:outbox, ff:{0}:outbox:dead
-- KEYS[2]  ff:{0}:     never there, as little as the first: two keys keep a cluster from running half a slot
--
-- ARGV[1]  oldest      what was put aside before then goes, ms since 1970
-- ARGV[2]  ttl         of all of them after the last one, ms
-- ARGV[3]  most        how many are kept
-- ARGV[4]  entry       where it stands in the outbox, '1795228645033-0'
-- then field, value, … what of it can't be read; all else has been stored
--
-- Returns 1, or 0 if it does not stand there any more: another worker has moved it, and whom it speaks of may have been
-- erased since.

-- @include lib/keys

local outbox, dead = outbox_key(KEYS[1]), dead_key(KEYS[1])
local entry = ARGV[4]

if #redis.call('XRANGE', outbox, entry, entry) == 0 then
  return 0
end
redis.call('XADD', dead, '*', 'entry', entry, unpack(ARGV, 5))
redis.call('XDEL', outbox, entry)
redis.call('XTRIM', dead, 'MAXLEN', ARGV[3])
redis.call('XTRIM', dead, 'MINID', ARGV[1])
redis.call('PEXPIRE', dead, ARGV[2])
return 1
