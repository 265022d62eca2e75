// Takes jobs out of the queue as BullMQ's guide has it: so many at once, and one INSERT each. From 10 to 200 at once were tried,
// with 10 to 50 connections: these are among the fastest, and little lies between them.

import { Worker } from 'bullmq';
import pg from 'pg';

const AT_ONCE = 50;
const CONNECTIONS = 20;

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: CONNECTIONS });

const INSERT = `
INSERT INTO events (event_time, received_at, late, is_url, site_id, event_type, path, name, user_id, identity)
VALUES ($1, $2, false, false, NULL, 'page_view', $3, NULL, $4, $5)
ON CONFLICT DO NOTHING`;

new Worker(
  'views',
  async ({ data, timestamp }) => {
    const at = new Date(data.timestamp);
    const values = [at, new Date(timestamp), data.name, data.user_id, `${at.getTime()}.${data.name}`];
    await pool.query({ name: 'insert', text: INSERT, values }); // prepared once a connection
  },
  { connection: { path: new URL(process.env.REDIS_URL).pathname }, concurrency: AT_ONCE },
);
