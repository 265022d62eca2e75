// `npm run test:topologies`: what is stored and read, on one Redis, under Sentinel, and on a cluster.
import base from './jest.config.mjs';

const BEHAVIOUR =
  'batch,caps,erase,events,export,inspect,logins,meta,mixedBatch,page,prefer,profile,profiles,report,residue,unreadable,visitors';

export default {
  ...base,
  testMatch: [`<rootDir>/test/{${BEHAVIOUR}}.test.ts`, '<rootDir>/test/lua/*.test.ts'],
};
