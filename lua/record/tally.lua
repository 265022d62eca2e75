-- Counts about everybody. Many events of a call move few of them, so they are summed up and written once, at its end.

local CHUNK = 1000 -- fields of one command

local tallies = {} -- by key

-- The tally of a hash that goes after `ttl` ms if it is not there yet. Fails if the key holds something else.
local function open_tally(hash, ttl)
  local tally = tallies[hash]
  if not tally then
    tally = { is_new = call('HLEN', hash) == 0, ttl = ttl, moves = {} }
    tallies[hash] = tally
  end
  return tally
end

local function count(tally, field, by)
  tally.moves[field] = (tally.moves[field] or 0) + by
end

-- If somebody put a word where a number should be, it stays, and the rest goes on.
local function write_fields(hash, moves, fields)
  if #fields == 1 then
    if redis.pcall('HINCRBY', hash, fields[1], moves[fields[1]]) == 0 then
      call('HDEL', hash, fields[1])
    end
    return
  end
  local held = call('HMGET', hash, unpack(fields))
  local changed, gone = {}, {}
  for i = 1, #fields do
    local field = fields[i]
    local sum = moves[field] + (tonumber(held[i] or 0) or math.huge)
    if sum == 0 then
      gone[#gone + 1] = field
    elseif sum < math.huge then
      changed[#changed + 1], changed[#changed + 2] = field, sum
    end
  end
  if #changed > 0 then
    call('HSET', hash, unpack(changed))
  end
  if #gone > 0 then
    call('HDEL', hash, unpack(gone))
  end
end

local function write_tallies()
  for hash, tally in pairs(tallies) do
    local fields = {}
    for field, by in pairs(tally.moves) do
      if by ~= 0 then
        fields[#fields + 1] = field
        if #fields == CHUNK then
          write_fields(hash, tally.moves, fields)
          fields = {}
        end
      end
    end
    if #fields > 0 then
      write_fields(hash, tally.moves, fields)
    end
    if tally.is_new then
      call('PEXPIRE', hash, tally.ttl)
    end
  end
end
