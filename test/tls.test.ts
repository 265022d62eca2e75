// Redis over TLS: one, and as a cluster's node. The certificate is the tests' own, for loopback; it protects nothing.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Redis } from 'ioredis';
import { ask } from './support/ask.ts';
import { until, useProcesses } from './support/process.ts';
import { freePort, stopProcess } from './support/redis.ts';

const processes = useProcesses();
const CERT = join(__dirname, 'support/tls/cert.pem');
const KEY = join(__dirname, 'support/tls/key.pem');
const TRUST = { NODE_EXTRA_CA_CERTS: CERT };
const PASSWORD = 'a-password-for-footfall';

/** Speaks TLS alone. */
async function startTls(args: string[] = []): Promise<number> {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'ff-test-'));
  const tls = [
    '--tls-cert-file',
    CERT,
    '--tls-key-file',
    KEY,
    '--tls-ca-cert-file',
    CERT,
    '--tls-auth-clients',
    'no',
  ];
  const child = spawn(
    'redis-server',
    [
      '--port',
      '0',
      '--tls-port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      dir,
      '--save',
      '',
      ...tls,
      ...args,
    ],
    { stdio: 'ignore' },
  );
  processes.atEnd(async () => {
    await stopProcess(child);
    rmSync(dir, { recursive: true, force: true });
  });
  await until('Redis listens', async () => {
    return new Promise<boolean>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
      socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('close', () => resolve(false));
      setTimeout(() => socket.destroy(), 200);
    });
  });
  return port;
}

async function records(settings: Record<string, string>) {
  const service = await processes.start(settings);
  await until('it is ready', async () => (await ask(service.port, '/readyz')).status === 200);
  expect(await service.view('ann', 'e')).toEqual([202, 'recorded']);
  expect(await service.viewsOf('ann')).toBe(1);
}

test('a rediss:// of an authority that Node trusts', async () => {
  const port = await startTls();
  await records({ REDIS_URL: `rediss://127.0.0.1:${port}`, ...TRUST });
});

test('with its password in a file', async () => {
  const port = await startTls(['--requirepass', PASSWORD]);
  const file = join(processes.dir, 'password');
  writeFileSync(file, `${PASSWORD}\n`);
  await records({ REDIS_URL: `rediss://127.0.0.1:${port}`, REDIS_PASSWORD_FILE: file, ...TRUST });
});

test('one that nobody vouches for is not spoken to', async () => {
  const port = await startTls();
  const service = await processes.start({ REDIS_URL: `rediss://127.0.0.1:${port}` });
  expect((await ask(service.port, '/readyz')).status).toBe(503);
  expect((await service.view('ann', 'e'))[0]).toBe(503);
  expect(service.said().join()).toContain("Redis can't be reached (DEPTH_ZERO_SELF_SIGNED_CERT)");
});

test('a cluster over TLS', async () => {
  const port = await startTls([
    '--cluster-enabled',
    'yes',
    '--tls-cluster',
    'yes',
    '--cluster-announce-ip',
    '127.0.0.1',
  ]);
  const redis = new Redis({ host: '127.0.0.1', port, tls: { rejectUnauthorized: false }, protocol: 2 });
  processes.atEnd(() => redis.disconnect());
  await redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
  await until('it serves', async () =>
    String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
  );
  await records({ REDIS_CLUSTER: `127.0.0.1:${port}`, REDIS_TLS: '1', ...TRUST });
});
