-- A page view: the user's day, the visitors of its page, its site.

local function step(from, to)
  local ms = to - from
  return ms <= gap and ms or 0
end

-- What a view between two others adds to the day's active time: gap(a, c) becomes gap(a, b) + gap(b, c).
local function step_between(visits, at)
  local earlier = call('ZRANGE', visits, at, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')
  local later = call('ZRANGE', visits, at, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
  local before, after = number(earlier[2]), number(later[2])
  return step(before, at) + step(at, after) - step(before, after)
end

-- Counts the page of the user's day. If it is news there, also says on which days beside the user saw it.
local function count_page(pages, page)
  if call('ZINCRBY', pages, 1, page) ~= '1' or page == OTHER then
    return false
  end
  return true, nearest_views(page)
end

-- `things`, `site` and `path` may be nil.
local function record_view(user, at, member, page, things, site, path)
  local refused = enter(user, at, things)
  if refused then
    return refused
  end
  local visits, pages = key_of(user, day.place, 'visits'), key_of(user, day.place, 'pages')
  local stored, ms = day.stored, day.ms
  local views, active, first, last, page_count = 0, 0, ms, ms, 0
  if stored[VIEWS] then
    views, active, page_count = number(stored[VIEWS]), number(stored[ACTIVE]), number(stored[PAGES])
    first, last = number(stored[FIRST]), number(stored[LAST])
  end

  if string.sub(member, 1, 2) == 'e:' and known_beside(member, 'visits') then
    return 'duplicate'
  end
  if views >= max_views then
    return holds(visits, member) and 'duplicate' or 'capped'
  end
  local name = page
  local is_folded = page_count >= max_pages and not holds(pages, page)
  if is_folded then
    name = OTHER
  end

  if views == 0 then
    -- the first of its day
  elseif ms >= last then
    active = active + step(last, ms)
    last = ms
  elseif ms <= first then
    active = active + step(ms, first)
    first = ms
  else
    active = active + step_between(visits, ms)
  end

  local new, left_out
  if things then
    new, left_out = unseen(things, stored)
  end
  local of_site = things and site ~= '' and open_site(site)

  if call('ZADD', visits, 'NX', ms, member) == 0 then
    return 'duplicate'
  end
  local sound, is_news, before, after = pcall(count_page, pages, name)
  if not sound then
    call('ZREM', visits, member)
    redis.pcall('ZREM', pages, name) -- it was news, or is no sorted set
    error(is_news)
  end

  wrote = true
  if is_news then
    page_count = page_count + 1
  elseif is_folded then
    folded.pages = folded.pages + 1
  end
  local fields = { 'views', views + 1, 'active_ms', active, 'first', first, 'last', last, 'pages', page_count }
  if new then
    count_unseen(new, fields)
  end
  folded.things = folded.things + (left_out or 0)
  write_day(fields)
  if views == 0 then
    local ttl = time_left()
    call('PEXPIRE', pages, ttl)
    call('PEXPIRE', visits, ttl)
  end
  if is_news then
    count_visitor('name:' .. short(name), day.place, before, after)
  end
  if of_site then
    count_site(of_site, 'page_view', path, is_new_on_site(new, things))
  end
  return day.outcome
end
