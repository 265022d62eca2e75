#!lua flags=no-writes
-- What the Redis user may not do. Asked before any work: a script that is refused a command in its middle has written half.
--
-- KEYS[1]  ff:{0}   what every key of the shard begins with
-- KEYS[2]  ff:{0}:  never there, as little as the first: two keys keep a cluster from running half a slot
-- ARGV              commands; of one that has parts as `MEMORY|USAGE`
--
-- Returns those of the commands that this user may not run.

local MOST = 4 -- words after the command

-- Newer servers want as many words as the command takes, older ones take any number. From many to few: with too few for
-- where it looks for keys, an unpatched server reads past their end.
local function may(command)
  for words = MOST, 1, -1 do
    local call = {}
    for part in string.gmatch(command, '[^|]+') do
      call[#call + 1] = part
    end
    for _ = 1, words do
      call[#call + 1] = KEYS[1]
    end
    local sound, allowed = pcall(redis.acl_check_cmd, unpack(call))
    if sound then
      return allowed
    end
  end
  return false
end

local refused = {}
for i = 1, #ARGV do
  if not may(ARGV[i]) then
    refused[#refused + 1] = ARGV[i]
  end
end
return refused
