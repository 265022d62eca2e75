// The description as it goes out: for tools, and for people.

import type { RequestHandler } from 'express';
import { ASKED_FOR, document, file } from '../http/assets.ts';
import { asPage, openToBrowsers } from '../http/respond.ts';
import { openapi } from './openapi.ts';
import { page } from './page.ts';
import type { Document } from './reading.ts';

interface Description {
  json: RequestHandler;
  page: RequestHandler;
  style: RequestHandler;
}

let made: Description | undefined;

/** Made once in a process. It holds no secret, so an editor in somebody's browser may read it. */
export function description(): Description {
  if (made) return made;
  const described = openapi();
  made = {
    json: document(Buffer.from(JSON.stringify(described)), '.json', ASKED_FOR, openToBrowsers),
    page: document(Buffer.from(page(described as unknown as Document)), '.html', ASKED_FOR, asPage),
    style: file('docs.css', ASKED_FOR),
  };
  return made;
}
