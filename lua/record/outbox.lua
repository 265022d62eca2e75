-- What waits for the archive: a stream of the shard, which a worker carries away in its order.

local CHUNK_OF_OUTBOX = 1000 -- arguments of one command

local outbox = outbox_key(shard)
local kept = {} -- field, entry, …

-- Asked before anything is done. Fails if the key holds something else.
local function is_outbox_full()
  return outbox_limit and call('XLEN', outbox) > 0 and call('MEMORY', 'USAGE', outbox) > outbox_limit
end

local FIELDS_OF_OUTBOX = { recorded = 'event', new = 'event', expired = 'late' }

local function keep_for_archive(outcome, entry)
  local field = FIELDS_OF_OUTBOX[outcome]
  if field then
    kept[#kept + 1], kept[#kept + 2] = field, entry
  end
end

local function write_outbox()
  for i = 1, #kept, CHUNK_OF_OUTBOX do
    call('XADD', outbox, '*', unpack(kept, i, math.min(i + CHUNK_OF_OUTBOX - 1, #kept)))
  end
end
