// Reading a JSON body: by size, by media type, and only as UTF-8.

import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { RequestHandler } from 'express';
import { Problem } from './problem.ts';

const unzip = promisify(gunzip);

/** The most that a browser sends as a beacon, and more than the longest event takes. */
export const EVENT_LIMIT = 64 * 1024;

/** Reads the body into `req.body`. `text/plain` holding JSON is accepted: it is what `navigator.sendBeacon` sends. */
export function jsonBody(limit: number): RequestHandler {
  return (req, _res, next) => {
    readJson(req, limit).then((body) => {
      req.body = body;
      next();
    }, next);
  };
}

async function readJson(req: IncomingMessage, limit: number): Promise<unknown> {
  checkMediaType(req.headers['content-type']);
  const encoding = req.headers['content-encoding']?.toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new Problem('unsupported_media_type', 'Content-Encoding may be gzip, or left out.', {
      headers: { 'Accept-Encoding': 'gzip' },
    });
  }
  let bytes = await readAll(req, limit);
  if (encoding === 'gzip') bytes = await inflate(bytes, limit);
  if (!isUtf8(bytes)) throw new Problem('invalid_json', 'The body is not UTF-8.');
  const text = bytes.toString();
  try {
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch {
    throw new Problem('invalid_json', 'The body is not JSON.');
  }
}

function checkMediaType(header: string | undefined): void {
  if (header === 'application/json') return;
  const [type, ...parameters] = (header ?? '').split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (
    (type !== 'application/json' && type !== 'text/plain') ||
    (charset && !/^charset="?utf-?8"?$/.test(charset))
  ) {
    throw new Problem(
      'unsupported_media_type',
      'Send application/json, or text/plain that holds JSON, in UTF-8.',
      { headers: { Accept: 'application/json, text/plain' } },
    );
  }
}

function tooLarge(limit: number): Problem {
  return new Problem('payload_too_large', `The body may be ${limit} bytes at most.`);
}

function readAll(req: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(req.headers['content-length']) > limit) return reject(tooLarge(limit));
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        req.off('data', onData); // Node reads on and throws away
        return reject(tooLarge(limit));
      }
      chunks.push(chunk);
    };
    req.on('data', onData);
    req.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    req.on('error', () => reject(new Problem('invalid_json', 'The body broke off.'))); // nobody hears it
  });
}

async function inflate(bytes: Buffer, limit: number): Promise<Buffer> {
  try {
    return await unzip(bytes, { maxOutputLength: limit });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
    throw new Problem('invalid_json', 'The body is not gzip.');
  }
}
