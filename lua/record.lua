#!lua
-- Record events of one shard: for each, all that it feeds moves, or nothing does.
--
-- KEYS[1]  ff:{0}      what every key of the shard begins with. The keys below are derived from it, the user, the site and
--                      the day, so they are of the same slot.
--   the user's own     ff:{0}:user:<user>:<day>:stats, :pages, :visits and :events, on the event's day; on the
--                      user's other days, where there are any, they are asked what the user saw there
--                      ff:{0}:user:<user>:<month>:logins
--   read               ff:{0}:erased:<sha1 of user>
--   about everybody    ff:{0}:<day>:visitors and :returning, ff:{0}:<month>:logins,
--                      ff:{0}:site:<site>:<day>:stats, :pages and :hll
--   for the archive    ff:{0}:outbox, where there is one
-- KEYS[2]  ff:{0}:     never there, as little as the first: two keys keep a cluster from running half a slot
--
-- ARGV[1]   midnight      of today, ms since 1970
-- ARGV[2]   now           ms since that midnight
-- ARGV[3]   gap           longest step between neighbouring views that counts as time spent, ms
-- ARGV[4]   max_views     of a user and day; as many other events
-- ARGV[5]   max_pages     distinct names of a user and day; further ones count under (other)
-- ARGV[6]   dates         nine of them in one string, '2026-11-14 … 2026-11-22': the day before the window, its seven
--                         days, tomorrow
-- ARGV[7]   max_paths     of a site and day; further ones count under (other)
-- ARGV[8]   site_days     how long a site's day is kept, days
-- ARGV[9]   late_days     how late a login may come, days
-- ARGV[10]  login_days    how long a user's logins are kept after their month, days
-- ARGV[11]  uniques_days  how long the counts of logins are kept after their month, days
-- ARGV[12]  outbox_limit  bytes that may wait for the archive; empty where there is none
-- then for each event its kind and what this kind has; before the kind may stand a + to hear whether its user is new, or a -
-- if its user must be known:
--   view    user at member page                          a page view with a name alone
--   visit   user at member page site path count thing…   one with a url or a site: what has visitors beside the page by its
--                                                        name, the site last, and how many that are; without a site, site
--                                                        is ''
--   event   user at member site type             an event of a site that is no page view
--   login   user at date month_end               its date, '2026-11-21', and the midnight after its month, ms since 1970
-- where
--   user, site     percent-encoded, as they stand in keys
--   at             ms since 1970
--   member         what is unique about it: 'e:<event_id>', or '<ms since midnight, base 36>.<digest of the rest>'
--   page           its name
--   thing          as it stands in counts: 'url:<url>', 'site:<site>:url:<url>', 'site:<site>:name:<page>', 'site:<site>'
-- and behind each event, where there is an archive, its entry: what the outbox is to hold of it, as it is.
--
-- Returns one string per event, in their order:
--   recorded   it counts, and the next read sees it
--   new        the same, and nothing was stored of its user before: none of the nine days, no login of their months
--   unknown    nothing is stored of its user, who must be known: nothing was changed
--   duplicate  it was counted before
--   erased     it happened before its user's erasure
--   expired    it is older than the window, or a login older than late_days
--   capped     its user has had max_views that day
--   future     it lies after tomorrow
--   damaged    a key that it needs holds something else than it should: nothing was changed
-- and after them four numbers, how often there was no room for a name of its own: for a page of a user's day, a url or
-- site of a user's day, a path of a site's day, a type of a site's day.
--
-- Redis does not roll back, so an event reads all that could fail before its first write, and whatever fails until then
-- makes it `damaged`. That first write, ZADD, is a check as well: it fails on a wrong type without a change, and it answers
-- 0 to a duplicate. A view's second, ZINCRBY, says whether the page is news; if what must then be read fails, both are
-- taken back. What follows cannot fail. Counts about everybody are checked as they are first needed, and written at the end.
--
-- Shared keys only count. What is news is asked of the user's own keys, so no shared key holds a user but the outbox: it
-- gets what is recorded (as `event`) and what is expired (as `late`), one entry a call. With more than outbox_limit in it
-- nothing is done, and the error OUTBOX says so.

-- @include lib/keys

local DAY = 24 * 60 * 60 * 1000
local OLDEST, TODAY, TOMORROW = 2, 8, 9 -- places in dates
local OTHER = '(other)'
local NEVER = -math.huge

local call, floor = redis.call, math.floor

local shard = KEYS[1]
local midnight = tonumber(ARGV[1])
local now = tonumber(ARGV[2])
local gap = tonumber(ARGV[3])
local max_views = tonumber(ARGV[4])
local max_pages = tonumber(ARGV[5])
local dates = ARGV[6]
local max_paths = tonumber(ARGV[7])
local site_days = tonumber(ARGV[8])
local late_days = tonumber(ARGV[9])
local login_days = tonumber(ARGV[10])
local uniques_days = tonumber(ARGV[11])
local outbox_limit = tonumber(ARGV[12])
local FIRST_EVENT = 13

local users = users_prefix(shard)
local wrote -- whether the event at hand has changed something
local must_be_known -- whether its user must be
local folded = { pages = 0, things = 0, paths = 0, types = 0 } -- names without a place of their own

local function number(text)
  return tonumber(text) or error('not a number')
end

local function holds(sorted_set, member)
  return call('ZSCORE', sorted_set, member) ~= false
end

-- @include record/tally
-- @include record/day
-- @include record/visitors
-- @include record/site
-- @include record/view
-- @include record/event
-- @include record/login
-- @include record/outbox

-- By kind: what records the event whose arguments begin at i.
local kinds = {
  view = function(i)
    return record_view(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3])
  end,
  visit = function(i)
    local things = { unpack(ARGV, i + 7, i + 6 + ARGV[i + 6]) }
    return record_view(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3], things, ARGV[i + 4], ARGV[i + 5])
  end,
  event = function(i)
    return record_event(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
  end,
  login = function(i)
    return record_login(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], tonumber(ARGV[i + 3]))
  end,
}
local lengths = { view = 4, visit = 7, event = 5, login = 4 }

if is_outbox_full() then
  return redis.error_reply('OUTBOX the archive is too far behind')
end

local outcomes = {}
local failure -- cannot be; if it is, it must not look like damage
local i = FIRST_EVENT
while i <= #ARGV do
  local door, kind = string.match(ARGV[i], '^([+-]?)(%l+)$')
  wrote, must_be_known = false, door == '-'
  local sound, outcome = pcall(kinds[kind], i + 1)
  if not sound and wrote then
    failure = failure or outcome
  end
  if outcome == 'new' and door == '' then
    outcome = 'recorded'
  end
  outcomes[#outcomes + 1] = sound and outcome or 'damaged'
  i = i + 1 + lengths[kind]
  if kind == 'visit' then
    i = i + ARGV[i - 1]
  end
  if outbox_limit then
    keep_for_archive(outcomes[#outcomes], ARGV[i])
    i = i + 1
  end
end
write_sites()
write_tallies()
write_outbox()
if failure then
  error(failure)
end
outcomes[#outcomes + 1] = folded.pages
outcomes[#outcomes + 1] = folded.things
outcomes[#outcomes + 1] = folded.paths
outcomes[#outcomes + 1] = folded.types
return outcomes
