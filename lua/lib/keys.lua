-- The keys that a script derives from a user, a site and a day (src/redis/keys.ts is the dictionary). Each begins with
-- the shard's prefix, which is the script's one declared key: `ff:{0}`. So each lies in the slot of that key, by
-- construction.
--
-- A user's key is users_prefix(shard) .. user .. on(day or month) .. part, where a day's parts are stats, pages, visits and
-- events, and a month's is logins. The first and the third are made once a call, not once a user.

local function users_prefix(shard)
  return shard .. ':user:'
end

local function on(date)
  return ':' .. date .. ':'
end

local function erased_key(shard, user_hash)
  return shard .. ':erased:' .. user_hash
end

-- `part` is visitors or returning of a day, or logins of a month.
local function count_key(shard, date, part)
  return shard .. on(date) .. part
end

-- `part` is stats, pages or hll.
local function site_key(shard, site, date, part)
  return shard .. ':site:' .. site .. on(date) .. part
end

-- Dates arrive as one string, '2026-11-14 2026-11-15 …'; this is the i-th of them.
local function date_at(dates, i)
  return string.sub(dates, i * 11 - 10, i * 11 - 1)
end

-- Its day of the month, '14': enough to tell the days of a week apart.
local function name_at(dates, i)
  return string.sub(dates, i * 11 - 2, i * 11 - 1)
end

-- A page's name or url as it stands in counts: a long one by its SHA-1, so that they stay small.
local function short(page)
  if #page > 40 or string.sub(page, 1, 1) == '#' then
    return '#' .. string.sub(redis.sha1hex(page), 1, 20)
  end
  return page
end

-- What waits for the archive, and what of it could not be read.
local function outbox_key(shard)
  return shard .. ':outbox'
end

local function dead_key(shard)
  return shard .. ':outbox:dead'
end
