// Reading a JSON body: by size, by media type, and only as UTF-8.

import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { gunzip } from 'node:zlib';
import type { RequestHandler } from 'express';
import { Overloaded } from '../redis/errors.ts';
import { Problem } from './problem.ts';

/** The most that a browser sends as a beacon, and more than the longest event takes. */
export const EVENT_LIMIT = 64 * 1024;

/** Reads the body into `req.body`. `text/plain` holding JSON is accepted: it is what `navigator.sendBeacon` sends. */
export function jsonBody(limit: number): RequestHandler {
  return (req, _res, next) => {
    readText(req, limit, JSON_TYPES, (error, text) => {
      if (error) return next(error);
      try {
        req.body = parseJson(text);
      } catch (notJson) {
        return next(notJson);
      }
      next();
    });
  };
}

export const JSON_TYPES = ['application/json', 'text/plain'];

export function parseJson(text: string): unknown {
  refuseMaze([text]);
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem('invalid_json', 'The body is not JSON.');
  }
}

/** Far more than a thousand events have, and so few that parsing them takes 20 ms: half a million take 150. */
const MOST_PARTS = 50_000;
/** What is shorter can't hold so many that it matters; most batches are. */
const SHORT = 128 * 1024;

/** Throws where texts, one JSON each, hold too many arrays, objects and fields, beside or within each other. */
export function refuseMaze(texts: string[]): void {
  if (texts.reduce((sum, { length }) => sum + length, 0) <= SHORT) return;
  let parts = 0;
  for (const text of texts) {
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c === 0x22) i = endOfString(text, i);
      else if (c === 0x5b || c === 0x7b || c === 0x3a) parts++; // [ { :
    }
  }
  if (parts > MOST_PARTS) {
    const detail = `The body may hold ${MOST_PARTS} arrays, objects and fields at most.`;
    throw new Problem('payload_too_large', detail);
  }
}

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end > 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === 0x5c) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}

type Read<T> = (error: Problem | Overloaded | undefined, value: T) => void;

/** The body as text: of one of these media types, inflated where it is gzip, UTF-8, without a byte order mark. */
export function readText(req: IncomingMessage, limit: number, types: string[], done: Read<string>): void {
  const gzipped = isGzipped(req);
  const refusal = gzipped instanceof Problem ? gzipped : mediaTypeRefusal(req.headers['content-type'], types);
  if (refusal) {
    done(refusal, '');
    return;
  }
  readAll(req, limit, (error, bytes) => {
    if (error) return done(error, '');
    if (!gzipped) return decode(bytes, done);
    gunzip(bytes, { maxOutputLength: limit }, (trouble, inflated) => {
      if (!trouble) return decode(inflated, done);
      const isTooLarge = (trouble as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      done(isTooLarge ? tooLarge(limit) : new Problem('invalid_json', 'The body is not gzip.'), '');
    });
  });
}

function decode(bytes: Buffer, done: Read<string>): void {
  if (!isUtf8(bytes)) {
    done(new Problem('invalid_json', 'The body is not UTF-8.'), '');
    return;
  }
  const text = bytes.toString();
  done(undefined, text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
}

function isGzipped(req: IncomingMessage): boolean | Problem {
  const encoding = req.headers['content-encoding']?.toLowerCase();
  if (encoding === undefined || encoding === 'identity') return false;
  if (encoding === 'gzip') return true;
  return new Problem('unsupported_media_type', 'Content-Encoding may be gzip, or left out.', {
    headers: { 'Accept-Encoding': 'gzip' },
  });
}

function mediaTypeRefusal(header: string | undefined, types: string[]): Problem | undefined {
  if (header === 'application/json') return undefined;
  const [type = '', ...parameters] = (header ?? '').split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (types.includes(type) && (!charset || /^charset="?utf-?8"?$/.test(charset))) return undefined;
  return new Problem('unsupported_media_type', `Send ${types.join(' or ')} that holds JSON, in UTF-8.`, {
    headers: { Accept: types.join(', ') },
  });
}

function tooLarge(limit: number): Problem {
  return new Problem('payload_too_large', `The body may be ${limit} bytes at most.`);
}

const NOTHING = Buffer.alloc(0);

/** What senders who are not done yet have sent, over all requests: some take their time, so that it adds up. */
const MOST_HELD = 64 * 1024 * 1024;
let held = 0;
let toCome = 0;

/** How many requests wait for the rest of their body: who sends slowly must not take the room of others. */
export const bodiesToCome = (): number => toCome;

function readAll(req: IncomingMessage, limit: number, done: Read<Buffer>): void {
  if (Number(req.headers['content-length']) > limit) {
    done(tooLarge(limit), NOTHING);
    return;
  }
  let first: Buffer | undefined; // most bodies come in one piece
  let chunks: Buffer[] | undefined;
  let size = 0;
  let isOver = false;
  toCome++;
  function end(refusal: Problem | Overloaded | undefined): void {
    if (isOver) return;
    isOver = true;
    toCome--;
    held -= size;
    const bytes = chunks ? Buffer.concat(chunks) : (first ?? NOTHING);
    first = chunks = undefined;
    if (refusal) done(refusal, NOTHING);
    else done(undefined, bytes);
  }
  req.on('data', (chunk: Buffer) => {
    if (isOver) return; // refused already: Node reads on, and this throws away
    size += chunk.length;
    held += chunk.length;
    if (first === undefined) first = chunk;
    else if (chunks === undefined) chunks = [first, chunk];
    else chunks.push(chunk);
    if (size > limit) end(tooLarge(limit));
    else if (chunks && held > MOST_HELD) end(new Overloaded('Too much of unfinished bodies is held'));
  });
  req.on('end', () => end(undefined));
  req.on('error', () => end(new Problem('invalid_json', 'The body broke off.'))); // nobody hears it
}
