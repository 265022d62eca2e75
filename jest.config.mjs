export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/faults/'], // npm run test:faults
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022' }, module: { type: 'commonjs' } }] },
  testTimeout: 30_000,
  // On two cores Jest runs all files in one process, and each leaves some of its heap: all of them nearly 4 GB, Node's limit.
  workerIdleMemoryLimit: '700MB',
};
