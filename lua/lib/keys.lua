-- The keys that a script derives from a user and a day (src/redis/keys.ts is the dictionary). Each begins with the
-- shard's prefix, which is the script's one declared key: `ff:{0}`. So each lies in the slot of that key, by construction.
-- A user's key is users_prefix .. user .. one of the suffixes of a date: made once a call, not once a user.

local function users_prefix(shard)
  return shard .. ':user:'
end

local function stats_suffix(date)
  return ':' .. date .. ':stats'
end

local function pages_suffix(date)
  return ':' .. date .. ':pages'
end

local function visits_suffix(date)
  return ':' .. date .. ':visits'
end

local function erased_key(shard, user_hash)
  return shard .. ':erased:' .. user_hash
end

-- Dates arrive as one string, '2026-11-14 2026-11-15 …'; this is the i-th of them.
local function date_at(dates, i)
  return string.sub(dates, i * 11 - 10, i * 11 - 1)
end
