import type { RequestHandler } from 'express';
import { NOT_STORED, sendJson } from '../http/respond.ts';
import { checkUserPath } from '../http/validate.ts';
import type { Eraser } from './eraser.ts';

export function eraseUser(eraser: Eraser): RequestHandler {
  return async (req, res) => {
    const { user_id } = checkUserPath(req.params);
    sendJson(res, 200, await eraser.erase(user_id), NOT_STORED);
  };
}
