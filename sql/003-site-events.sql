-- What a site's report reads, all of it from an index: events lie in the order they came, so a small site's lie in nearly as
-- many blocks as a large one's (docs/decisions/0012). No row of an index may have more than 2,704 bytes, and a path has up to
-- 8,192, so those with a long one have an index of their own.
DROP INDEX events_of_site;
CREATE INDEX events_of_site ON events (site_id, event_time) INCLUDE (event_type, path, user_id, late)
  WHERE octet_length(path) <= 1000;
CREATE INDEX events_of_site_long ON events (site_id, event_time) WHERE octet_length(path) > 1000;

-- Each part by its index.
CREATE VIEW site_events AS
  SELECT site_id, event_time, event_type, path, user_id, late FROM events WHERE octet_length(path) <= 1000
  UNION ALL
  SELECT site_id, event_time, event_type, path, user_id, late FROM events WHERE octet_length(path) > 1000;
