-- A login: a bit for each day of the user's month. A bit that was 0 is a user more on that day, the month's first bit one
-- more in that month.

-- Whether nothing of the user is stored.
local function is_stranger(user)
  local keys = logins_of(user)
  for place = 1, TOMORROW do
    keys[#keys + 1] = key_of(user, place, 'stats')
  end
  return call('EXISTS', unpack(keys)) == 0
end

-- `date` is the login's, `month_end` the midnight that ends its month, ms since 1970.
local function record_login(user, at, date, month_end)
  local days = floor((at - midnight) / DAY)
  local erased = erased_at(user)
  if at <= erased then
    return 'erased'
  end
  if days < -late_days then
    return 'expired'
  end
  if days > 1 then
    return 'future'
  end
  local month = string.sub(date, 1, 7)
  local left = month_end - midnight - now -- until the month ends, ms
  local counts = open_tally(count_key(shard, month, 'logins'), left + uniques_days * DAY)
  local bits = users .. user .. on(month) .. 'logins'
  local is_first = call('EXISTS', bits) == 0
  local outcome = is_first and is_stranger(user) and 'new' or 'recorded'
  if outcome == 'new' and must_be_known then
    return 'unknown'
  end
  if call('SETBIT', bits, tonumber(string.sub(date, 9, 10)) - 1, 1) == 1 then
    return 'duplicate'
  end

  wrote = true
  count(counts, date, 1)
  if is_first then
    count(counts, month, 1)
    -- The month's last day is written to until late_days after it, so the bits must live until then.
    local spread = floor(tonumber(string.sub(redis.sha1hex(user), 1, 4), 16) / 65536 * SPREAD)
    call('PEXPIRE', bits, left + login_days * DAY - spread)
  end
  return outcome
end
