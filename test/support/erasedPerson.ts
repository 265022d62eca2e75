// A person who is erased among others, with an archive: what is written of them all, and whether anything of before comes back.

import { setTimeout as delay } from 'node:timers/promises';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { MINUTE } from '../../src/time.ts';
import { DEAD } from './archiveStand.ts';
import { ask } from './ask.ts';
import { createChecks } from './faultRuns.ts';
import { MARK } from './marks.ts';
import { queryAt } from './postgres.ts';

export const PERSON = `${MARK.user}-erased`;

const OTHERS = Array.from({ length: 20 }, (_, i) => `${MARK.user}-${i}`);
const NEWER = 'newer';

export interface ErasedPerson extends ReturnType<typeof createChecks> {
  /** One event of somebody else. */
  writeFirst(): Promise<void>;
  /** So many of each in one request, the person's between the others'; URLs are so long. */
  writeBefore(urlLength?: number): Promise<void>;
  /** One of each, after the erasure. */
  writeNewer(): Promise<void>;
  erase(): Promise<void>;
  /** What the erasure was answered. */
  answered(): string | undefined;
  isDone(): Promise<boolean>;
  /** Checks that nothing of before is there, again and again for so long, ms. */
  look(time?: number): Promise<void>;
  looks(): number;
  /** Checks that all else is there once. Gives how many rows of the person there are, and of others. */
  checkOthers(): Promise<[own: number, others: number]>;
}

export interface ErasedPersonOptions {
  port: number;
  redis: FootfallRedis;
  /** Of the archive. */
  url: string;
  /** Events of each before the erasure. */
  ofEach: number;
}

export function createErasedPerson({ port, redis, url, ofEach }: ErasedPersonOptions): ErasedPerson {
  const checks = createChecks();
  const { check } = checks;
  let receipt: { archive: string; erasure_id: string } | undefined;
  let newer = 0;
  let looks = 0;

  async function send(events: object[]): Promise<void> {
    const { status, text } = await ask(port, '/v1/pages', { body: JSON.stringify(events) });
    const { recorded } = JSON.parse(text);
    check('all is recorded', status === 202 && recorded === events.length, `${status}, ${recorded}`);
  }

  const view = (user_id: string, event_id: string, length = 0) => {
    const page = `https://shop.example/${event_id}`.padEnd(length, '.');
    return { user_id, url: page, event_id };
  };

  async function lookOnce(): Promise<void> {
    looks++;
    const rows = await queryAt<{ identity: string }>(url, 'SELECT identity FROM events WHERE user_id = $1', [
      PERSON,
    ]);
    const old = rows.filter(({ identity }) => !identity.startsWith(`e:${NEWER}`));
    check('nothing of before is in Postgres', old.length === 0, `${old.length} rows`);
    const dead = JSON.stringify(await redis.xrange(DEAD, '-', '+'));
    check('nor among what was put aside', !dead.includes(PERSON), 'it is put aside');
  }

  return {
    ...checks,
    writeFirst: () => send([view(`${MARK.user}-first`, 'first')]),
    async writeBefore(length) {
      // The clock of its sender is ahead: by its time alone it would seem to be newer than the erasure.
      const login_time = new Date(Date.now() + 4 * MINUTE).toISOString();
      const views = Array.from({ length: ofEach }, (_, i) =>
        [PERSON, ...OTHERS].map((user) => view(user, `${i}`, length)),
      );
      await send([{ type: 'login', user_id: PERSON, login_time }, ...views.flat()]);
    },
    async writeNewer() {
      const id = `${NEWER}-${newer++}`;
      await send([PERSON, ...OTHERS].map((user) => view(user, id)));
    },
    async erase() {
      const { status, text } = await ask(port, `/v1/user/${PERSON}`, { method: 'DELETE' });
      check('the erasure is answered', status === 200, `${status}`);
      receipt = JSON.parse(text);
    },
    answered: () => receipt?.archive,
    async isDone() {
      const { text } = await ask(port, `/v1/erasures/${receipt?.erasure_id}`);
      return JSON.parse(text).archive === 'done';
    },
    async look(time = 0) {
      const since = performance.now();
      do {
        await lookOnce();
        await delay(20);
      } while (performance.now() - since < time);
    },
    looks: () => looks,
    async checkOthers() {
      const rows = await queryAt<{ user_id: string; rows: number; events: number }>(
        url,
        `SELECT user_id, count(*)::int AS rows, count(DISTINCT identity)::int AS events FROM events GROUP BY 1`,
      );
      for (const user of [PERSON, ...OTHERS]) {
        const wanted = user === PERSON ? newer : ofEach + newer;
        const found = rows.find(({ user_id }) => user_id === user);
        const isRight = found?.rows === wanted && found.events === wanted;
        check('what is newer, or of others, is there once', isRight, `${found?.rows} of ${wanted}`);
      }
      const all = rows.reduce((sum, row) => sum + row.rows, 0);
      const own = rows.find(({ user_id }) => user_id === PERSON)?.rows ?? 0;
      return [own, all - own];
    },
  };
}
