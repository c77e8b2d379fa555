import { defineConfig } from 'vitest/config';

// One worker: the machine has two cores, and lavapipe and llama.cpp use threads of their own.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], pool: 'forks', maxWorkers: 1, testTimeout: 60_000, hookTimeout: 120_000 },
});
