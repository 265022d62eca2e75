// The usual way to a database: Express as in (b), and a job in a queue for each event. What takes them out is in
// bullmqWorker.mjs.

import { Ajv } from 'ajv';
import { Queue } from 'bullmq';
import express from 'express';
import helmet from 'helmet';
import { pageSchema } from './schemas.mjs';

const isPage = new Ajv().compile(pageSchema);
const queue = new Queue('views', {
  connection: { path: new URL(process.env.REDIS_URL).pathname },
  defaultJobOptions: {
    removeOnComplete: true,
    removeOnFail: 1000,
    attempts: 5,
    backoff: { type: 'exponential', delay: 1000 },
  },
});

const app = express();
app.use(helmet());
app.use(express.json());

app.post('/v1/page', async (req, res) => {
  if (!isPage(req.body)) return res.status(400).json({ errors: isPage.errors });
  if (Number.isNaN(Date.parse(req.body.timestamp))) {
    return res.status(400).json({ errors: [{ message: 'timestamp' }] });
  }
  await queue.add('view', req.body);
  res.status(202).json({ status: 'recorded' });
});

const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
