-- A day of all sites, which a replay counts: events lie nearly in order of time, so this index is a few pages of a month.
CREATE INDEX events_of_time ON events USING brin (event_time);
