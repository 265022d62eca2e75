#!lua
-- Restore the marks of erasures, as the archive remembers them.
--
-- KEYS[1]  ff:{0}      what every key of the shard begins with
--   written            ff:{0}:erased:<sha1 of user>, derived from it: the same slot
-- KEYS[2]  ff:{0}:     never there, as little as the first: two keys keep a cluster from running half a slot
--
-- ARGV     for each mark three: the sha1 of the user, erased at (ms since 1970), what is left of its life (ms)
--
-- Returns how many were written. A mark that is as late, or later, stays as it is: somebody may be erased meanwhile.

-- @include lib/keys

local shard = KEYS[1]
local written = 0
for i = 1, #ARGV, 3 do
  local mark = erased_key(shard, ARGV[i])
  local known = redis.call('GET', mark)
  if not known or tonumber(known) < tonumber(ARGV[i + 1]) then
    redis.call('SET', mark, ARGV[i + 1], 'PX', ARGV[i + 2])
    written = written + 1
  end
end
return written
