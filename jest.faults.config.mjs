// `npm run test:faults`: what takes minutes. One file after the other, since all of them measure.
import base from './jest.config.mjs';

export default {
  ...base,
  testMatch: ['<rootDir>/test/faults/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  maxWorkers: 1,
  testTimeout: 240_000,
};
