-- Who was erased, and when: what happened up to then is refused by every insert and every replay, for good. The hash is
-- the one that Redis's mark has in its name, and shard_hash says in which shard the user lives.
CREATE TABLE erasures (
  user_hash  bytea PRIMARY KEY,
  shard_hash integer NOT NULL,
  erased_at  timestamptz NOT NULL
);

-- What the archive has done of the erasures that were asked for: the receipt's id. It names nobody.
CREATE TABLE erasure_receipts (
  id           text PRIMARY KEY,
  done_at      timestamptz NOT NULL,
  rows_deleted bigint NOT NULL
);

-- How many events of a site's day were of people who have been erased since: totals stay.
CREATE TABLE forgotten (
  site_id    text NOT NULL,
  day        date NOT NULL,
  event_type text NOT NULL,
  events     bigint NOT NULL,
  PRIMARY KEY (site_id, day, event_type)
);
