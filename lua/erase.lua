#!lua flags=allow-oom
-- Forget a user: take them out of every count about everybody, drop all that is stored of them, and leave a mark, so that
-- late events do not bring them back. It runs when memory is full, since it frees more than the mark takes.
--
-- KEYS[1]  ff:{0}      what every key of the shard begins with. The keys below are derived from it, the user, the days and
--                      what the user's own keys say, so they are of the same slot.
--   dropped            ff:{0}:user:<user>:<day>:stats, :pages, :visits and :events; …:<month>:logins
--   counted down       ff:{0}:<day>:visitors and :returning, ff:{0}:<month>:logins, ff:{0}:site:<site>:<day>:stats
--   written            ff:{0}:erased:<sha1 of user>; ff:{0}:outbox, where there is an archive
-- KEYS[2]  ff:{0}:     never there, as little as the first: two keys keep a cluster from running half a slot
--
-- ARGV[1]  now         ms since 1970
-- ARGV[2]  mark_ttl    ms
-- ARGV[3]  user        percent-encoded, as it stands in keys
-- ARGV[4]  midnight    of the oldest day that can hold anything, ms since 1970
-- ARGV[5]  dates       the days from that one on that can hold anything, in one string
-- ARGV[6]  first       which of them, counted from 1, is the day before the window: steps from earlier ones may not have
--                      been counted
-- ARGV[7]  months      those that can hold a login, '2026-10 2026-11'
-- ARGV[8]  id          the user as JSON, for the archive; empty where there is none
--
-- Returns { erased_at, keys_deleted, counts_corrected, entry }
--   erased_at          as a string, ms since 1970: now, or the newest view or event that was stored, or an earlier
--                      erasure's time, whichever is latest
--   counts_corrected   how many counts about everybody lost this user: visitors of a thing on a day, users of a site on a
--                      day, users who logged in on a day or in a month
--   entry              the erasure's own in the outbox, '1795228645033-0', behind all that the archive is to forget; left out
--                      where there is no archive
--
-- A key that cannot be read is no reason to keep a person, nor to refuse them for ever: it is dropped all the same.

-- @include lib/keys

local DAY = 24 * 60 * 60 * 1000
local CHUNK = 500 -- fields of one command

local shard = KEYS[1]
local now = tonumber(ARGV[1])
local mark_ttl = tonumber(ARGV[2])
local user = ARGV[3]
local midnight = tonumber(ARGV[4])
local dates = ARGV[5]
local first = tonumber(ARGV[6])
local months = ARGV[7]
local id = ARGV[8]

local prefix = users_prefix(shard) .. user
local mark = erased_key(shard, redis.sha1hex(user))
local erased_at = now
local keys_deleted = 0

-- A time that no event can have is ignored.
local function reach_to(start, reply)
  local ms = type(reply) == 'string' and tonumber(reply)
  if ms and start + ms > erased_at and start + ms < now + 3 * DAY then
    erased_at = start + ms
  end
end

-- A list, or an empty one if the key holds something else.
local function list(...)
  local reply = redis.pcall(...)
  return reply.err and {} or reply
end

-- Takes one from each of these counts that is more than zero; says from how many.
local function take_one(hash, fields)
  local taken = 0
  for from = 1, #fields, CHUNK do
    local to = math.min(from + CHUNK - 1, #fields)
    local held = list('HMGET', hash, unpack(fields, from, to))
    local less, gone = {}, {}
    for i = from, to do
      local count = tonumber(held[i - from + 1] or nil)
      if count and count > 1 then
        less[#less + 1], less[#less + 2] = fields[i], count - 1
      elseif count == 1 then
        gone[#gone + 1] = fields[i]
      end
    end
    if #less > 0 then
      redis.call('HSET', hash, unpack(less))
    end
    if #gone > 0 then
      redis.call('HDEL', hash, unpack(gone))
    end
    taken = taken + #less / 2 + #gone
  end
  return taken
end

-- What the user saw on a day, as the counts have it: pages by name, and of all else a field of stats.
local function things_of(stats, pages)
  local things = {}
  for _, field in ipairs(list('HKEYS', stats)) do
    if string.find(field, ':', 1, true) then
      things[#things + 1] = field
    end
  end
  for _, page in ipairs(list('ZRANGE', pages, 0, -1)) do
    if page ~= '(other)' then
      things[#things + 1] = 'name:' .. short(page)
    end
  end
  return things
end

local last_seen = {} -- by thing: which day saw it before

local function take_from_day(i, date, things)
  local steps = {}
  local taken = take_one(count_key(shard, date, 'visitors'), things)
  for _, thing in ipairs(things) do
    local before = last_seen[thing]
    if before then
      steps[#steps + 1] = i - before .. ':' .. thing
    end
    if i >= first then
      last_seen[thing] = i
    end
    local site = string.match(thing, '^site:([^:]+)$')
    if site then
      taken = taken + take_one(site_key(shard, site, date, 'stats'), { 'users' })
    end
  end
  take_one(count_key(shard, date, 'returning'), steps)
  return taken
end

local function take_from_month(month, bits)
  local reply = redis.pcall('GET', bits)
  local fields = {}
  if type(reply) == 'string' then
    for day = 1, 8 * #reply do
      local byte = string.byte(reply, math.floor((day - 1) / 8) + 1)
      if bit.band(byte, bit.rshift(128, (day - 1) % 8)) ~= 0 then
        fields[#fields + 1] = month .. string.format('-%02d', day)
      end
    end
    fields[#fields + 1] = #fields > 0 and month or nil
  end
  return take_one(count_key(shard, month, 'logins'), fields)
end

reach_to(0, redis.pcall('GET', mark))
local counts_corrected = 0
for i = 1, (#dates + 1) / 11 do
  local date = date_at(dates, i)
  local of_day = prefix .. on(date)
  local stats, pages, visits, events = of_day .. 'stats', of_day .. 'pages', of_day .. 'visits', of_day .. 'events'
  local start = midnight + (i - 1) * DAY
  reach_to(start, redis.pcall('HGET', stats, 'last'))
  reach_to(start, list('ZRANGE', visits, -1, -1, 'WITHSCORES')[2])
  reach_to(start, list('ZRANGE', events, -1, -1, 'WITHSCORES')[2])
  counts_corrected = counts_corrected + take_from_day(i, date, things_of(stats, pages))
  keys_deleted = keys_deleted + redis.call('UNLINK', stats, pages, visits, events)
end
for month in string.gmatch(months, '%S+') do
  local bits = prefix .. on(month) .. 'logins'
  counts_corrected = counts_corrected + take_from_month(month, bits)
  keys_deleted = keys_deleted + redis.call('UNLINK', bits)
end

erased_at = string.format('%.0f', erased_at)
redis.call('SET', mark, erased_at, 'PX', mark_ttl)
local entry
if id ~= '' then
  local erasure = '{"user_id":' .. id .. ',"erased_at":' .. erased_at .. '}'
  entry = redis.call('XADD', outbox_key(shard), '*', 'erasure', erasure)
end
return { erased_at, keys_deleted, counts_corrected, entry }
