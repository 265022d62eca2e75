// (b) Express 5 as its guide has it, with helmet, express.json and ajv.

import { Ajv } from 'ajv';
import express from 'express';
import helmet from 'helmet';
import { pageSchema, userSchema } from './schemas.mjs';
import { profile, record } from './store.mjs';

const ajv = new Ajv();
const isPage = ajv.compile(pageSchema);
const isUser = ajv.compile(userSchema);

const app = express();
app.use(helmet());
app.use(express.json());

app.post('/v1/page', async (req, res) => {
  if (!isPage(req.body)) return res.status(400).json({ errors: isPage.errors });
  const status = await record(req.body);
  if (status === undefined) return res.status(400).json({ errors: [{ message: 'timestamp' }] });
  res.status(202).json({ status });
});

app.get('/v1/user/:user_id', async (req, res) => {
  if (!isUser(req.params)) return res.status(400).json({ errors: isUser.errors });
  res.json(await profile(req.params.user_id));
});

const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
