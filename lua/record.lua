#!lua
-- Record events of one shard: for each, the user's day moves, or nothing does.
--
-- KEYS[1]  ff:{0}      what every key of the shard begins with. The keys below are derived from it, the user and the day,
--                      so they are of the same slot.
--   reads and writes   ff:{0}:user:<user>:<day>, ff:{0}:user:<user>:<day>:visits
--   reads              ff:{0}:erased:<sha1 of user>, and visits of the days beside the event's, if it has an event_id
--
-- ARGV[1]  midnight    of today, ms since 1970
-- ARGV[2]  now         ms since that midnight
-- ARGV[3]  gap         longest step between neighbouring views that counts as time spent, ms
-- ARGV[4]  max_views   of a user and day
-- ARGV[5]  max_pages   distinct names of a user and day; further ones count under (other)
-- ARGV[6]  dates       nine of them in one string, '2026-11-14 … 2026-11-22': the day before the window, its seven days,
--                      tomorrow
-- then for each event
--   user               percent-encoded, as it stands in keys
--   at                 ms since 1970
--   member             what is unique about the view: 'e:<event_id>', or '<ms since midnight, base 36>.<page digest>'
--   name               of the page
--
-- Returns one string per event, in their order:
--   recorded   it counts, and the next read sees it
--   duplicate  it was counted before
--   erased     it happened before its user's erasure
--   expired    it is older than the window
--   capped     its user has had max_views that day
--   future     it lies after tomorrow
--   damaged    a key of the user's holds something else than it should: nothing was changed
--
-- Redis does not roll back, so an event reads whatever could fail before its first write. That first write, ZADD, is a
-- check as well: it fails on a wrong type without a change, and it answers 0 to a duplicate.

-- @include keys

local DAY = 24 * 60 * 60 * 1000
local SPREAD = 6 * 60 * 60 * 1000 -- a day's keys go up to so long before its midnight + 8 days
local KEPT_DAYS = 8
local OLDEST, TODAY = 2, 8 -- places in dates
local OTHER = 'page:(other)'

local call, pcall = redis.call, redis.pcall
local floor = math.floor

local shard = KEYS[1]
local midnight = tonumber(ARGV[1])
local now = tonumber(ARGV[2])
local gap = tonumber(ARGV[3])
local max_views = tonumber(ARGV[4])
local max_pages = tonumber(ARGV[5])
local dates = ARGV[6]

local function failed(reply)
  return type(reply) == 'table' and reply.err ~= nil
end

-- When the user was last erased (ms since 1970), 0 if never; nil if that cannot be read.
local function erased_at(user_hash)
  local mark = pcall('GET', erased_key(shard, user_hash))
  if failed(mark) then
    return nil
  end
  if not mark then
    return 0
  end
  return tonumber(mark)
end

local function step(from, to)
  local ms = to - from
  return ms <= gap and ms or 0
end

-- What a view between two others adds to the day's active time: gap(a, c) becomes gap(a, b) + gap(b, c).
local function step_between(visits, member, at)
  local rank = call('ZRANK', visits, member)
  local around = call('ZRANGE', visits, rank - 1, rank + 1, 'WITHSCORES')
  local before, after = tonumber(around[2]), tonumber(around[6])
  return step(before, at) + step(at, after) - step(before, after)
end

local function known(visits, member)
  local score = pcall('ZSCORE', visits, member)
  if failed(score) then
    return nil
  end
  return score ~= false
end

local function record_view(user, at, member, name)
  local place = floor((at - midnight) / DAY) + TODAY
  if place < OLDEST then
    local erased = erased_at(redis.sha1hex(user))
    if not erased then
      return 'damaged'
    end
    return at <= erased and 'erased' or 'expired'
  end
  if place > TODAY + 1 then
    return 'future'
  end

  local day = day_key(shard, user, date_at(dates, place))
  local visits = visits_key(day)
  local page = 'page:' .. name
  local stored = pcall('HMGET', day, 'views', 'active_ms', 'first', 'last', 'pages', page, 'erased_until')
  if failed(stored) then
    return 'damaged'
  end

  local views, active, first, last, pages = 0, 0, nil, nil, 0
  local page_views = 0
  local erased, user_hash
  if stored[1] then
    views, active, pages = tonumber(stored[1]), tonumber(stored[2]), tonumber(stored[5])
    first, last = tonumber(stored[3]), tonumber(stored[4])
    if not (views and active and pages and first and last) then
      return 'damaged'
    end
    if stored[6] then
      page_views = tonumber(stored[6])
      if not page_views then
        return 'damaged'
      end
    end
    -- The mark need not be asked again: an erasure drops the day, so the day's first view after it has asked.
    erased = stored[7] and tonumber(stored[7]) or 0
  else
    user_hash = redis.sha1hex(user)
    erased = erased_at(user_hash)
  end
  if not erased then
    return 'damaged'
  end
  if at <= erased then
    return 'erased'
  end

  if string.sub(member, 1, 2) == 'e:' then
    for beside = place - 1, place + 1, 2 do
      if beside <= TODAY + 1 then
        local seen = known(visits_key(day_key(shard, user, date_at(dates, beside))), member)
        if seen == nil then
          return 'damaged'
        end
        if seen then
          return 'duplicate'
        end
      end
    end
  end
  if views >= max_views then
    local seen = known(visits, member)
    if seen == nil then
      return 'damaged'
    end
    return seen and 'duplicate' or 'capped'
  end

  local is_new_page = not stored[6] and page ~= OTHER
  if is_new_page and pages >= max_pages then
    is_new_page = false
    page = OTHER
    page_views = tonumber(call('HGET', day, OTHER) or 0)
    if not page_views then
      return 'damaged'
    end
  end

  local ms = at - (midnight + (place - TODAY) * DAY)
  local added = pcall('ZADD', visits, 'NX', ms, member)
  if failed(added) then
    return 'damaged'
  end
  if added == 0 then
    return 'duplicate'
  end

  if not first then
    first, last = ms, ms
  elseif ms >= last then
    active = active + step(last, ms)
    last = ms
  elseif ms <= first then
    active = active + step(ms, first)
    first = ms
  else
    active = active + step_between(visits, member, ms)
  end
  if is_new_page then
    pages = pages + 1
  end
  call('HSET', day, 'views', views + 1, 'active_ms', active, 'first', first, 'last', last, 'pages', pages,
    page, page_views + 1)

  if not stored[1] then
    if at - ms <= erased then
      call('HSET', day, 'erased_until', string.format('%.0f', erased))
    end
    -- Relative to the caller's clock. Both keys of the day get the same end, fixed by day and user.
    local spread = floor(tonumber(string.sub(user_hash, 1, 4), 16) / 65536 * SPREAD)
    local ttl = (place - TODAY + KEPT_DAYS) * DAY - now - spread
    call('PEXPIRE', day, ttl)
    call('PEXPIRE', visits, ttl)
  end
  return 'recorded'
end

local outcomes = {}
for i = 7, #ARGV, 4 do
  outcomes[#outcomes + 1] = record_view(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3])
end
return outcomes
