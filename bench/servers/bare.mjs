// (a) node:http and JSON.parse, nothing else: what no server on Node can beat.

import { createServer } from 'node:http';

const headers = (text) => ({
  'Content-Type': 'application/json; charset=utf-8',
  'Content-Length': Buffer.byteLength(text),
});
const PROFILE = JSON.stringify({
  user_id: '019mr8mf4r',
  number_pages_viewed_in_the_last_7_days: 6,
  time_spent_on_site_in_last_7_days: 3,
  number_of_days_active_in_last_7_days: 3,
  most_viewed_page_in_last_7_days: 'Blog: better B2B customer experience, part 1',
});
const PROFILE_HEADERS = headers(PROFILE);
const RECORDED = '{"status":"recorded"}';
const RECORDED_HEADERS = headers(RECORDED);

const server = createServer((req, res) => {
  if (req.method === 'GET') {
    res.writeHead(200, PROFILE_HEADERS).end(PROFILE);
    return;
  }
  const chunks = [];
  req.on('data', (chunk) => chunks.push(chunk));
  req.on('end', () => {
    JSON.parse(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    res.writeHead(202, RECORDED_HEADERS).end(RECORDED);
  });
});

server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
