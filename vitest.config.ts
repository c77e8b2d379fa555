import { defineConfig } from 'vitest/config';

// Two workers, whatever the cores: most tests wait for a process of their own, a kernel, a browser or llama.cpp, and lavapipe uses
// what is left. One more try, for tests that strike a process at a moment: a noisy machine may miss it.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], pool: 'forks', maxWorkers: 2, retry: 1, testTimeout: 60_000, hookTimeout: 120_000 },
});
