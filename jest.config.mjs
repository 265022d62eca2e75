import { availableParallelism } from 'node:os';

const FAULTS =
  'redisKilled|lostReplies|redisAsleep|scriptFlush|memoryFull|evictionPolicy|cluster|sigterm|archive|archiveWorker|sleepingWorker';

export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Of the faults a few, in short; npm run test:faults makes all of them.
  testPathIgnorePatterns: ['/node_modules/', `<rootDir>/test/faults/(?!(${FAULTS})[.])`],
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022' }, module: { type: 'commonjs' } }] },
  testTimeout: 120_000, // for what hangs; no test fails because a machine is busy
  // Jest would leave one core to itself, and most of these wait: for servers, for timeouts.
  maxWorkers: Math.max(2, availableParallelism() - 1),
};
