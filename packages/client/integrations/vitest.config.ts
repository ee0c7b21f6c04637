import { defineConfig } from 'vitest/config';

/** Real servers: one file at a time, in a process of its own, since it becomes another user. */
export default defineConfig({
  test: {
    include: ['*.it.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
