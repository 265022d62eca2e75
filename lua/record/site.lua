-- A site's day: events by type, users, views by path. Summed up over the call, as all counts about everybody.

local MAX_TYPES = 100 -- of events of a site and day; what comes after counts as (other)

local sites = {} -- by site and place

-- Fails if a key of the site's day holds something else.
local function open_site(site)
  local id = site .. ' ' .. day.place
  local found = sites[id]
  if not found then
    local date = date_at(dates, day.place)
    found = {
      stats_key = site_key(shard, site, date, 'stats'),
      pages = site_key(shard, site, date, 'pages'),
      hll = site_key(shard, site, date, 'hll'),
      ttl = day.start + site_days * DAY - now,
      types = {}, -- by name: the field that it counts under
      paths = {}, -- by path: views
      named = {}, -- those paths, in order of arrival: who comes first has a place of its own
      users = {},
    }
    found.path_count = call('ZCARD', found.pages)
    local head = call('GETRANGE', found.hll, 0, 3)
    if head ~= '' and head ~= 'HYLL' then
      error('not a HyperLogLog')
    end
    found.has_hll = head ~= ''
    found.stats = open_tally(found.stats_key, found.ttl)
    local fields = call('HLEN', found.stats_key)
    found.type_count = fields - call('HEXISTS', found.stats_key, 'users')
    sites[id] = found
  end
  return found
end

local function field_of_type(site, name)
  local field = site.types[name]
  if not field then
    field = 'type:' .. name
    if call('HEXISTS', site.stats_key, field) == 0 then
      if site.type_count >= MAX_TYPES then
        field = 'type:' .. OTHER
      else
        site.type_count = site.type_count + 1
      end
    end
    site.types[name] = field
  end
  return field
end

-- An event of the site; `path` is given where it is a page view, `is_new_user` where it is the user's first on the day.
local function count_site(site, event_type, path, is_new_user)
  local field = field_of_type(site, event_type)
  if field == 'type:' .. OTHER then
    folded.types = folded.types + 1
  end
  count(site.stats, field, 1)
  if path then
    local views = site.paths[path]
    if not views then
      site.named[#site.named + 1] = path
    end
    site.paths[path] = (views or 0) + 1
  end
  if is_new_user then
    count(site.stats, 'users', 1)
    site.users[#site.users + 1] = day.user
  end
end

local function write_paths(site)
  local paths = site.named
  if #paths == 0 then
    return
  end
  local held = call('ZMSCORE', site.pages, unpack(paths))
  local is_new = site.path_count == 0
  local scores, others = {}, 0
  for i = 1, #paths do
    local path, views = paths[i], tonumber(held[i] or 0)
    if views == 0 and path ~= OTHER then
      if site.path_count >= max_paths then
        others = others + site.paths[path]
        path = nil
      else
        site.path_count = site.path_count + 1
      end
    end
    if path then
      scores[#scores + 1], scores[#scores + 2] = views + site.paths[path], path
    end
  end
  if #scores > 0 then
    call('ZADD', site.pages, unpack(scores))
  end
  if others > 0 then
    folded.paths = folded.paths + others
    call('ZINCRBY', site.pages, others, OTHER)
  end
  if is_new then
    call('PEXPIRE', site.pages, site.ttl)
  end
end

local function write_sites()
  for _, site in pairs(sites) do
    write_paths(site)
    if #site.users > 0 then
      -- It is no count that can be moved back, only an estimate over days of which nobody's own keys know any more.
      redis.pcall('PFADD', site.hll, unpack(site.users))
      if not site.has_hll then
        call('PEXPIRE', site.hll, site.ttl)
      end
    end
  end
end
