-- Raw history: what was recorded, and what came too late to be counted in Redis (late).
--
-- A page view's event_type is page_view; its path is its url, or its name where it has none (is_url), and name is its page's
-- name where that is another one. A login is the event_type login without a site. `id` is the order of arrival, `received_at`
-- when Redis took it, its last three digits counting what came within one millisecond.
--
-- What is unique about an event is its user, its time and its identity, as Redis knows it: `e:<event_id>`, or a digest of
-- what it was.

CREATE TABLE events (
  id          bigint GENERATED ALWAYS AS IDENTITY,
  event_time  timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  late        boolean NOT NULL,
  is_url      boolean NOT NULL,
  site_id     text,
  event_type  text NOT NULL,
  path        text,
  name        text,
  user_id     text NOT NULL,
  identity    text NOT NULL,
  PRIMARY KEY (id, event_time)
) PARTITION BY RANGE (event_time);

-- Months get a partition of their own as their first event comes; what is far off lies here.
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- One user's history in order of time, too.
CREATE UNIQUE INDEX events_of_user ON events (user_id, event_time, identity);
CREATE INDEX events_of_site ON events (site_id, event_time);
