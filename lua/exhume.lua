#!lua flags=allow-oom
-- Take out of what was put aside what speaks of somebody. It runs when memory is full: it leaves less than there was.
--
-- KEYS[1]  ff:{0}      what every key of the shard begins with. The key below is derived from it: the same slot.
--   changed            ff:{0}:outbox:dead
-- KEYS[2]  ff:{0}:     never there, as little as the first: two keys keep a cluster from running half a slot
--
-- ARGV[1]  id          of the entry there
-- then field, value, … of it that are of others, and stay
--
-- Returns 1, or 0 if it is not there any more: somebody else of whom it speaks may have been erased since, so nothing of what
-- was read before may be put back.

-- @include lib/keys

local dead = dead_key(KEYS[1])
if redis.call('XDEL', dead, ARGV[1]) == 0 then
  return 0
end
if #ARGV > 1 then
  redis.call('XADD', dead, '*', unpack(ARGV, 2))
end
return 1
