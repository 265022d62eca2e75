// A server whose requests and responses are born as Express wants them.
//
// Express gives every request and response its own prototypes with Object.setPrototypeOf. Up to Node 22 each object gets
// a hidden class of its own by that, and everything done with it afterwards is slow (see docs/decisions/0003). Node's
// createServer takes the classes to use; given constructors whose prototypes already are Express's, the call changes
// nothing, and costs nothing.

import { createServer, IncomingMessage, type Server, type ServerOptions, ServerResponse } from 'node:http';
import type { Express } from 'express';

// Node's own constructors are functions, not classes, in every line of Node that we run on: they may be called on an
// object that `new` made with another prototype.
type Constructor = { (this: object, ...args: unknown[]): void; prototype: object };

function bornAs(parent: unknown, prototype: object): Constructor {
  const construct = parent as Constructor;
  function Born(this: object, first: unknown, second: unknown) {
    construct.call(this, first, second);
  }
  Born.prototype = prototype;
  // V8 asks a constructor and those it inherits from how many fields their objects will have. One that inherits from
  // none makes them too small, and most fields land in a store outside, which is copied every few fields.
  Object.setPrototypeOf(Born, construct);
  return Born;
}

export function createFastServer(app: Express, options: ServerOptions = {}): Server {
  const server = createServer(
    {
      ...options,
      IncomingMessage: bornAs(IncomingMessage, app.request) as unknown as typeof IncomingMessage,
      ServerResponse: bornAs(ServerResponse, app.response) as unknown as typeof ServerResponse,
    },
    app,
  );
  // An expectation that nobody knows is no reason to refuse: Node would answer a bare 417, past the app.
  return server.on('checkExpectation', app);
}
