-- An event of a site that is no page view. It is kept apart from views, and no profile shows it.

local function record_event(user, at, member, site, event_type)
  local things = { 'site:' .. site }
  local refused = enter(user, at, things)
  if refused then
    return refused
  end
  if string.sub(member, 1, 2) == 'e:' and known_beside(member, 'events') then
    return 'duplicate'
  end
  local events = key_of(user, day.place, 'events')
  local held = call('ZCARD', events)
  if held >= max_views then
    return holds(events, member) and 'duplicate' or 'capped'
  end
  local new, left_out = unseen(things, day.stored)
  local of_site = open_site(site)

  if call('ZADD', events, 'NX', day.ms, member) == 0 then
    return 'duplicate'
  end
  wrote = true
  if held == 0 then
    call('PEXPIRE', events, time_left())
  end
  local fields = {}
  if new then
    count_unseen(new, fields)
  end
  folded.things = folded.things + (left_out or 0)
  write_day(fields)
  count_site(of_site, event_type, nil, is_new_on_site(new, things))
  return day.outcome
end
