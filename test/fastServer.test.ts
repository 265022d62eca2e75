import { once } from 'node:events';
import { createServer, IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString } from 'node:v8';
import { createGzip } from 'node:zlib';
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import { createFastServer } from '../src/http/fastServer.ts';
import { type Reply, type Sent, sendBytes, sendRequest, stopServer } from './support/http.ts';

/** An app that uses as much of Express as fits. */
function everythingApp(): Express {
  const app = express();
  app.set('trust proxy', true);
  app.set('views', dirname(__filename));
  app.engine('ts', (path, options, done) =>
    done(null, `${basename(path)} for ${(options as { who: string }).who}`),
  );

  app.use((req, res, next) => {
    res.locals.asked = req.method;
    next();
  });
  app.get('/params/:one/and/:two', (req, res) => {
    res.json(req.params);
  });
  app.get('/query', (req, res) => {
    res.json({ ...req.query, path: req.path, originalUrl: req.originalUrl });
  });
  app.param('id', (req, _res, next, id) => {
    (req as Request & { found?: string }).found = `found ${id}`;
    next();
  });
  app.get('/by/:id', (req, res) => {
    res.send((req as Request & { found?: string }).found);
  });
  app.get('/about', (req, res) => {
    res.json({
      ip: req.ip,
      ips: req.ips,
      protocol: req.protocol,
      secure: req.secure,
      hostname: req.hostname,
      xhr: req.xhr,
      subdomains: req.subdomains,
      accepts: req.accepts(['html', 'json']),
      language: req.acceptsLanguages('de', 'en'),
      agent: req.get('User-Agent'),
      header: req.header('x-own'),
      asked: res.locals.asked,
    });
  });
  app.get('/tied', (req, res) => {
    res.json([req.res === res, res.req === req, req.app === app, res.app === app, req.next !== undefined]);
  });
  app.get('/throws', () => {
    throw new TypeError('sync');
  });
  app.get('/rejects', async () => {
    await null;
    throw new TypeError('async');
  });
  app.get('/nexts', (_req, _res, next) => next(new TypeError('next')));
  app.get('/next-route', (_req, _res, next) => next('route'));
  app.get('/next-route', (_req, res) => {
    res.send('the next route');
  });
  app.get('/status/:code', (req, res) => {
    res.sendStatus(Number(req.params.code));
  });
  app.get('/buffer', (_req, res) => {
    res.type('png').send(Buffer.from([0x89, 0x50, 0x4e, 0x47]));
  });
  app.get('/text', (_req, res) => {
    res.status(201).set({ 'X-One': '1' }).append('X-One', '2').vary('Origin').links({ next: '/more' });
    res.send('Zoé 😀');
  });
  app.get('/nothing', (_req, res) => {
    res.status(204).end();
  });
  app.get('/format', (_req, res) => {
    res.format({ text: () => res.send('plain'), json: () => res.json({ json: true }) });
  });
  app.get('/jsonp', (_req, res) => {
    res.jsonp({ a: 1 });
  });
  app.get('/redirect', (_req, res) => res.redirect('/about?a=b'));
  app.get('/moved', (_req, res) => res.redirect(301, 'https://example.com/é'));
  app.get('/cookie', (_req, res) => {
    res.cookie('a', 'b c', { httpOnly: true, maxAge: 1000, path: '/x' }).clearCookie('old').send('');
  });
  app.get('/file', (_req, res) => {
    res.sendFile(__filename, { lastModified: false, etag: false });
  });
  app.get('/no-file', (_req, res) => {
    res.sendFile('nothing.txt', { root: tmpdir() });
  });
  app.get('/download', (_req, res) => {
    res.download(__filename, 'été.txt');
  });
  app.get('/render', (_req, res) => {
    res.render(basename(__filename), { who: 'ann' });
  });
  app.get('/pipe', (_req, res) => {
    Readable.from(Array.from({ length: 100 }, (_, i) => `${i}${'.'.repeat(5000)}\n`)).pipe(res);
  });
  app.get('/pipeline', async (_req, res) => {
    res.setHeader('Content-Encoding', 'gzip');
    await pipeline(Readable.from(['one ', 'two']), createGzip(), res);
  });
  app.get('/written', (_req, res) => {
    res.writeHead(200, 'Fine', ['X-Raw', 'yes', 'X-More', 'too']);
    res.write('a');
    res.flushHeaders();
    res.end('b');
  });
  app.get('/trailers', (_req, res) => {
    res.writeHead(200, { Trailer: 'X-After' });
    res.write('a');
    res.addTrailers({ 'X-After': 'yes' });
    res.end();
  });
  app.get('/hints', (_req, res) => {
    res.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => res.send('after the hints'));
  });
  app.get('/hung', (_req, res) => {
    res.destroy();
  });
  app.post('/echo', (req, res) => {
    res.type(req.get('Content-Type') ?? 'bin');
    req.pipe(new PassThrough()).pipe(res);
  });
  app.post('/iterate', async (req, res) => {
    let bytes = 0;
    for await (const chunk of req) bytes += (chunk as Buffer).length;
    res.json({ bytes, ended: req.readableEnded, complete: req.complete, is: req.is('text/*') });
  });
  app.post('/unread', (_req, res) => {
    res.send('not read');
  });
  const parsers = [express.json(), express.text(), express.raw(), express.urlencoded({ extended: true })];
  app.post('/parsed', parsers, (req: Request, res: Response) => {
    res.json(Buffer.isBuffer(req.body) ? { raw: req.body.toString('hex') } : { body: req.body });
  });
  app
    .route('/route')
    .get((_req, res) => void res.send('get'))
    .put((_req, res) => void res.send('put'))
    .delete((_req, res) => void res.send('delete'));
  app.use('/static', express.static(dirname(__filename), { lastModified: false, etag: false }));

  const router = express.Router({ mergeParams: true });
  router.get('/deep/:inner', (req, res) => {
    res.json({ ...req.params, baseUrl: req.baseUrl, url: req.url });
  });
  app.use('/router/:outer', router);

  // A mounted app gives requests and responses its own prototypes, and Express gives ours back behind it.
  const sub = express();
  sub.set('name', 'sub');
  Object.assign(sub.response, { hello: () => 'hello of sub' });
  sub.get('/inside', (req, res) => {
    const { hello } = res as unknown as { hello(): string };
    const prototypes = [
      Object.getPrototypeOf(req) === sub.request,
      Object.getPrototypeOf(res) === sub.response,
    ];
    res.json({ name: req.app.get('name'), hello: hello(), baseUrl: req.baseUrl, prototypes, ip: req.ip });
  });
  sub.get('/throws', () => {
    throw new TypeError('in sub');
  });
  app.use('/sub', sub);
  app.use('/sub', (req, res) => {
    const prototypes = [
      Object.getPrototypeOf(req) === app.request,
      Object.getPrototypeOf(res) === app.response,
    ];
    res.json({ behind: 'sub', own: req.app === app, hello: 'hello' in res, prototypes });
  });

  app.use(((error, _req, res, next) => {
    if (res.headersSent) return next(error);
    res.status(error.status ?? 500).json({ error: error.message, instance: error instanceof TypeError });
  }) satisfies ErrorRequestHandler);
  return app;
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Runs `use` on a fast server of this app, and stops it. */
async function serving(app: Express, use: (port: number, server: Server) => Promise<void>, options = {}) {
  const server = createFastServer(app, options);
  try {
    await use(await listen(server), server);
  } finally {
    await stopServer(server);
  }
}

const app = everythingApp();
const fast = createFastServer(app);
const stock = createServer(app as RequestListener);
let fastPort: number;
let stockPort: number;
beforeAll(async () => {
  fastPort = await listen(fast);
  stockPort = await listen(stock);
});
afterAll(async () => {
  await stopServer(fast);
  await stopServer(stock);
});

const own = { name: 'fastServer.test.ts' };
const get = (path: string, headers: Sent['headers'] = {}): Sent => ({ path, headers });
const send = (path: string, type: string, body: string | Buffer, method = 'POST'): Sent => ({
  method,
  path,
  headers: { 'Content-Type': type },
  body,
});
const json = (body: unknown) => ({ status: 200, body });
const text = (text: string) => ({ status: 200, text });

describe('what Express does on a server of Node, it does on the fast one', () => {
  test.each<[what: string, sent: Sent, answer: object]>([
    ['parameters', get('/params/a%20b/and/%C3%A9'), json({ one: 'a b', two: 'é' })],
    ['bad encoding in a path', get('/params/%zz/and/b'), { status: 400 }],
    [
      'a query',
      get('/query?a=1&b=x&b=y'),
      json({ a: '1', b: ['x', 'y'], path: '/query', originalUrl: '/query?a=1&b=x&b=y' }),
    ],
    ['app.param', get('/by/7'), text('found 7')],
    [
      'what a request says of itself',
      get('/about', {
        Host: 'a.b.example.com:81',
        'X-Forwarded-For': '203.0.113.7, 10.0.0.1',
        'X-Forwarded-Proto': 'https',
        'X-Requested-With': 'XMLHttpRequest',
        'X-Own': 'mine',
        'User-Agent': 'test',
        Accept: 'application/json',
        'Accept-Language': 'en',
      }),
      json({
        ip: '203.0.113.7',
        ips: ['203.0.113.7', '10.0.0.1'],
        protocol: 'https',
        secure: true,
        hostname: 'a.b.example.com',
        xhr: true,
        subdomains: ['b', 'a'],
        accepts: 'json',
        language: 'en',
        agent: 'test',
        header: 'mine',
        asked: 'GET',
      }),
    ],
    [
      'req.ip without a proxy',
      get('/about'),
      { body: expect.objectContaining({ ip: '127.0.0.1', protocol: 'http' }) },
    ],
    ['req.res, res.req, req.app, res.app', get('/tied'), json([true, true, true, true, true])],
    ['an error thrown', get('/throws'), { status: 500, body: { error: 'sync', instance: true } }],
    ['an error rejected', get('/rejects'), { status: 500, body: { error: 'async', instance: true } }],
    ['an error passed on', get('/nexts'), { status: 500, body: { error: 'next', instance: true } }],
    ["next('route')", get('/next-route'), text('the next route')],
    ['an unknown path', get('/nowhere'), { status: 404 }],
    ['res.sendStatus', get('/status/418'), { status: 418, text: "I'm a Teapot" }],
    [
      'res.send of a Buffer',
      get('/buffer'),
      { headers: expect.objectContaining({ 'content-type': 'image/png', 'content-length': '4' }) },
    ],
    [
      'res.set, append, vary, links',
      get('/text'),
      {
        status: 201,
        text: 'Zoé 😀',
        headers: expect.objectContaining({ 'x-one': '1, 2', vary: 'Origin', link: '</more>; rel="next"' }),
      },
    ],
    ['an ETag that matches', get('/text', { 'If-None-Match': '*' }), { status: 304, text: '' }],
    ['a 204', get('/nothing'), { status: 204, text: '' }],
    ['res.format', get('/format', { Accept: 'application/json' }), json({ json: true })],
    ['res.jsonp', get('/jsonp?callback=f'), text('/**/ typeof f === \'function\' && f({"a":1});')],
    [
      'res.redirect',
      get('/redirect'),
      { status: 302, headers: expect.objectContaining({ location: '/about?a=b' }) },
    ],
    [
      'res.redirect elsewhere',
      get('/moved'),
      { status: 301, headers: expect.objectContaining({ location: 'https://example.com/%C3%A9' }) },
    ],
    [
      'res.cookie',
      get('/cookie'),
      {
        headers: expect.objectContaining({
          'set-cookie': [
            expect.stringMatching(/^a=b%20c; Max-Age=1; Path=\/x; .*HttpOnly$/),
            expect.stringMatching(/^old=;/),
          ],
        }),
      },
    ],
    ['res.sendFile', get('/file'), { status: 200, text: expect.stringContaining(own.name) }],
    ['a range of a file', get('/file', { Range: 'bytes=0-5' }), { status: 206, text: 'import' }],
    ['res.sendFile of nothing', get('/no-file'), { status: 404 }],
    [
      'res.download',
      get('/download'),
      {
        headers: expect.objectContaining({
          'content-disposition': expect.stringContaining("UTF-8''%C3%A9t%C3%A9.txt"),
        }),
      },
    ],
    ['express.static', get(`/static/${own.name}`), { status: 200, text: expect.stringContaining(own.name) }],
    ['express.static of nothing', get('/static/nothing'), { status: 404 }],
    ['res.render', get('/render'), text(`${own.name} for ann`)],
    [
      'a stream piped into the response',
      get('/pipe'),
      { status: 200, text: expect.stringMatching(/^0\.{5000}\n[\s\S]*99\.{5000}\n$/) },
    ],
    [
      'writeHead with raw headers',
      get('/written'),
      { text: 'ab', headers: expect.objectContaining({ 'x-raw': 'yes', 'x-more': 'too' }) },
    ],
    ['early hints', get('/hints'), text('after the hints')],
    ['trailers', get('/trailers'), text('a')],
    ['a body piped back', send('/echo', 'text/plain', 'x'.repeat(300_000)), text('x'.repeat(300_000))],
    [
      'a body iterated',
      send('/iterate', 'text/plain', 'x'.repeat(300_000)),
      json({ bytes: 300_000, ended: true, complete: true, is: 'text/plain' }),
    ],
    ['a body not read', send('/unread', 'text/plain', 'x'.repeat(300_000)), text('not read')],
    ['express.json', send('/parsed', 'application/json', '{"a":[1]}'), json({ body: { a: [1] } })],
    ['express.json of no JSON', send('/parsed', 'application/json', '{'), { status: 400 }],
    [
      'express.json past its limit',
      send('/parsed', 'application/json', `"${'x'.repeat(200_000)}"`),
      { status: 413 },
    ],
    ['express.text', send('/parsed', 'text/plain', 'é'), json({ body: 'é' })],
    ['express.raw', send('/parsed', 'application/octet-stream', Buffer.from([1, 2])), json({ raw: '0102' })],
    [
      'express.urlencoded',
      send('/parsed', 'application/x-www-form-urlencoded', 'a[b]=c'),
      json({ body: { a: { b: 'c' } } }),
    ],
    ['app.route', { method: 'PUT', path: '/route' }, text('put')],
    ['HEAD', { method: 'HEAD', path: '/text' }, { status: 201, text: '' }],
    ['OPTIONS', { method: 'OPTIONS', path: '/route' }, { status: 200, text: 'DELETE, GET, HEAD, PUT' }],
    [
      'a router',
      get('/router/a/deep/b?c'),
      json({ outer: 'a', inner: 'b', baseUrl: '/router/a', url: '/deep/b?c' }),
    ],
    [
      'a mounted app',
      get('/sub/inside', { 'X-Forwarded-For': '203.0.113.7' }),
      json({
        name: 'sub',
        hello: 'hello of sub',
        baseUrl: '/sub',
        prototypes: [true, true],
        ip: '203.0.113.7',
      }),
    ],
    [
      'what is behind a mounted app',
      get('/sub/behind'),
      json({ behind: 'sub', own: true, hello: false, prototypes: [true, true] }),
    ],
    [
      'an error in a mounted app',
      get('/sub/throws'),
      { status: 500, body: { error: 'in sub', instance: true } },
    ],
  ])('%s', async (_what, sent, answer) => {
    const replies = await Promise.all([fastPort, stockPort].map((port) => sendRequest(port, sent)));
    const [onFast, onStock] = replies.map(({ headers: { date: _, ...headers }, ...reply }: Reply) => ({
      ...reply,
      headers,
    }));
    expect(onFast).toMatchObject(answer);
    expect(onFast).toEqual(onStock);
  });

  test('pipeline into the response', async () => {
    const bytes = await sendBytes(fastPort, 'GET /pipeline HTTP/1.0\r\n\r\n');
    expect(bytes).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Encoding: gzip/);
    const reply = await fetch(`http://127.0.0.1:${fastPort}/pipeline`);
    expect(await reply.text()).toBe('one two');
  });

  test('a response that is destroyed ends its connection', async () => {
    await expect(sendRequest(fastPort, get('/hung'))).rejects.toThrow(/hang up|ECONNRESET/);
  });
});

describe('on the wire', () => {
  const close = 'Host: x\r\nConnection: close\r\n';

  test.each<[what: string, bytes: string, answers: RegExp]>([
    [
      'two requests on one connection',
      `GET /by/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /by/2 HTTP/1.1\r\n${close}\r\n`,
      /^HTTP\/1\.1 200 [\s\S]*found 1HTTP\/1\.1 200 [\s\S]*found 2$/,
    ],
    [
      'a request behind an unread body',
      `POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /by/2 HTTP/1.1\r\n${close}\r\n`,
      /^HTTP\/1\.1 200 [\s\S]*not readHTTP\/1\.1 200 [\s\S]*found 2$/,
    ],
    [
      'a body in chunks',
      `POST /iterate HTTP/1.1\r\n${close}Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n`,
      /^HTTP\/1\.1 200 [\s\S]*"bytes":3,/,
    ],
    [
      '100 Continue',
      `POST /echo HTTP/1.1\r\n${close}Content-Type: text/plain\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc`,
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 [\s\S]*abc/,
    ],
    ['HTTP/1.0', 'GET /by/1 HTTP/1.0\r\n\r\n', /^HTTP\/1\.1 200 [\s\S]*Connection: close[\s\S]*found 1$/],
    [
      'an upgrade that nobody takes',
      `GET /by/1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`,
      /^(HTTP\/1\.1 200 [\s\S]*found 1|)$/,
    ],
    ['CONNECT', 'CONNECT example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n', /^$/],
    ['no Host', 'GET /by/1 HTTP/1.1\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['a bad header', `GET / HTTP/1.1\r\n${close}a b: c\r\n\r\n`, /^HTTP\/1\.1 400 /],
    [
      'two lengths',
      `POST /echo HTTP/1.1\r\n${close}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
      /^HTTP\/1\.1 400 /,
    ],
    [
      'a length and chunks',
      `POST /echo HTTP/1.1\r\n${close}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      /^HTTP\/1\.1 400 /,
    ],
    [
      'a bad chunk',
      `POST /iterate HTTP/1.1\r\n${close}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
      /^HTTP\/1\.1 400 /,
    ],
    [
      'headers that are too long',
      `GET / HTTP/1.1\r\n${close}X: ${'x'.repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
  ])('%s', async (_what, bytes, answers) => {
    expect(await sendBytes(fastPort, bytes)).toMatch(answers);
    const withoutDates = (text: string) => text.replace(/^Date: .*\r\n/gm, '');
    expect(withoutDates(await sendBytes(fastPort, bytes))).toBe(
      withoutDates(await sendBytes(stockPort, bytes)),
    );
  });

  // Node answers a bare 417 by itself, which no middleware sees.
  test('an expectation that nobody knows is no reason to refuse', async () => {
    const answer = await sendBytes(fastPort, `GET /by/1 HTTP/1.1\r\n${close}Expect: tea\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*found 1$/);
  });

  test('trailers are sent', async () => {
    const answer = await sendBytes(fastPort, `GET /trailers HTTP/1.1\r\n${close}\r\n`);
    expect(answer).toMatch(/0\r\nX-After: yes\r\n\r\n$/);
  });
});

describe('a request and its response', () => {
  /** Says what it finds before Express sees the pair, and in a route. */
  async function bornOn(bornApp: Express) {
    const found: Record<string, unknown[]> = {};
    const look = (req: IncomingMessage, res: ServerResponse) => [
      Object.getPrototypeOf(req) === bornApp.request,
      Object.getPrototypeOf(res) === bornApp.response,
      req instanceof IncomingMessage,
      res instanceof ServerResponse,
      req.constructor === IncomingMessage,
      res.constructor === ServerResponse,
    ];
    bornApp.get('/', (req, res) => {
      found.inRoute = look(req, res);
      res.end();
    });
    await serving(bornApp, async (port, server) => {
      server.prependListener('request', (req, res) => {
        found.before = look(req, res);
      });
      await sendRequest(port, get('/'));
    });
    return found;
  }

  test('are born with the prototypes that Express gives them', async () => {
    const all = Array(6).fill(true);
    expect(await bornOn(express())).toEqual({ before: all, inRoute: all });
  });

  test('of two apps in one process keep apart', async () => {
    const all = Array(6).fill(true);
    const [one, two] = await Promise.all([bornOn(express()), bornOn(express())]);
    expect([one, two]).toEqual(Array(2).fill({ before: all, inRoute: all }));
  });

  test('have what was added to the app after the server was made', async () => {
    const extended = express();
    extended.get('/', (req, res) => {
      const more = [req, res] as unknown as { shout(): string }[];
      res.json(more.map((one) => one.shout()));
    });
    await serving(extended, async (port) => {
      for (const prototype of [extended.request, extended.response]) {
        Object.assign(prototype, { shout: () => 'ho' });
      }
      expect(await sendRequest(port, get('/'))).toMatchObject(json(['ho', 'ho']));
    });
  });

  test('have all their fields inside, as those of a server of Node have', async () => {
    // A constructor that V8 knows nothing of makes objects without room, which end as slow dictionaries.
    setFlagsFromString('--allow-natives-syntax');
    const hasFastFields = new Function('value', 'return %HasFastProperties(value)') as (
      value: object,
    ) => boolean;
    setFlagsFromString('--no-allow-natives-syntax');
    const sized = express();
    let answers: boolean[] = [];
    await serving(sized, async (port, server) => {
      server.prependListener('request', (req, res) => {
        answers = [hasFastFields(req), hasFastFields(res)];
      });
      for (let i = 0; i < 20; i++) await sendRequest(port, get('/'));
    });
    expect(answers).toEqual([true, true]);
  });
});

describe('what Node can be told', () => {
  test('options are passed on', async () => {
    await serving(
      express().get('/', (_req, res) => void res.send('ok')),
      async (port, server) => {
        expect(server.keepAliveTimeout).toBe(4321);
        expect(await sendRequest(port, get('/', { X: 'x'.repeat(3000) }))).toMatchObject({ status: 431 });
        expect(await sendRequest(port, get('/'))).toMatchObject(text('ok'));
      },
      { keepAliveTimeout: 4321, maxHeaderSize: 2048 },
    );
  });

  test('a listener for upgrades gets requests of the same kind', async () => {
    const upgraded = express();
    await serving(upgraded, async (port, server) => {
      let kind: unknown;
      server.on('upgrade', (req, socket) => {
        kind = Object.getPrototypeOf(req);
        socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\nhello');
      });
      const bytes = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\n';
      expect(await sendBytes(port, bytes)).toMatch(/^HTTP\/1\.1 101 [\s\S]*hello$/);
      expect(kind).toBe(upgraded.request);
    });
  });

  test('a request that is broken off closes, and is no error without a listener', async () => {
    const waiting = express();
    waiting.post('/', (req, _res) => void req.resume());
    await serving(waiting, async (port, server) => {
      const arrived = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>;
      const socket = connect(port, '127.0.0.1');
      socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc');
      const [req, res] = await arrived;
      const closed = Promise.all([req, res].map((one) => new Promise((done) => one.once('close', done))));
      socket.destroy();
      await closed;
      expect([req.complete, req.destroyed, res.writableFinished]).toEqual([false, true, false]);
      expect(await sendRequest(port, get('/nowhere'))).toMatchObject({ status: 404 });
    });
  });
});
