// Files for browsers: read and compressed once, when the process starts.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Request, RequestHandler, Response } from 'express';
import { CannotStart } from '../cannotStart.ts';
import { isPiledUp } from './measure.ts';
import { type Headers, send, sendEmpty } from './respond.ts';

/** What the build made for browsers. */
const FOLDER = join(import.meta.dirname, '../../dist/browser');

const TYPES: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json; charset=utf-8',
};

/** An hour without asking, a day more while asking; an old one must go on working for that long after an upgrade. */
export const KEPT_FOR_A_WHILE: Headers = [
  'Cache-Control',
  'public, max-age=3600, stale-while-revalidate=86400',
];

/** Asked for each time, and answered with a 304 mostly. */
export const ASKED_FOR: Headers = ['Cache-Control', 'no-cache'];

/** Brotli's best is some 8 % smaller, and of large files it would take a start of the service 0.2 s. */
const LARGE = 64 * 1024;
const quality = ({ length }: Buffer) => ({ [constants.BROTLI_PARAM_QUALITY]: length > LARGE ? 9 : 11 });

const SMALLEST_FIRST = ['br', 'gzip'] as const;

interface Asset {
  type: string;
  etag: string;
  plain: Buffer;
  br: Buffer;
  gzip: Buffer;
}

/** By name: what has been read does not change while the process runs. */
const files = new Map<string, Asset>();

/** Gives a file that the build made. `prepare` says how else than other answers it goes out. */
export function file(name: string, caching: Headers, prepare?: (res: Response) => void): RequestHandler {
  const asset = files.get(name) ?? read(name);
  files.set(name, asset);
  return give(asset, caching, prepare);
}

/** The same of what is there already. */
export function document(
  plain: Buffer,
  extension: string,
  caching: Headers,
  prepare?: (res: Response) => void,
): RequestHandler {
  return give(assetOf(plain, extension), caching, prepare);
}

function read(name: string): Asset {
  const path = join(FOLDER, name);
  if (!existsSync(path)) throw new CannotStart(`there is no ${path}: type  npm run build`);
  return assetOf(readFileSync(path), extname(name));
}

const assetOf = (plain: Buffer, extension: string): Asset => ({
  type: TYPES[extension]!,
  etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
  plain,
  br: brotliCompressSync(plain, { params: quality(plain) }),
  gzip: gzipSync(plain, { level: 9 }),
});

function give(asset: Asset, caching: Headers, prepare?: (res: Response) => void): RequestHandler {
  return (req, res) => {
    if (isPiledUp(req)) {
      req.socket.destroy();
      return;
    }
    prepare?.(res);
    const more = [...caching, 'ETag', asset.etag, 'Vary', 'Accept-Encoding'];
    if (isKnown(req, asset)) {
      sendEmpty(res, 304, more);
      return;
    }
    const encoding = SMALLEST_FIRST.find((name) => req.acceptsEncodings(name));
    if (encoding) more.push('Content-Encoding', encoding);
    send(res, 200, asset.type, encoding ? asset[encoding] : asset.plain, more);
  };
}

/** A proxy that compresses makes a weak tag of it. */
function isKnown(req: Request, { etag }: Asset): boolean {
  const known = req.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return known !== undefined && (known.includes(etag) || known.includes('*'));
}
