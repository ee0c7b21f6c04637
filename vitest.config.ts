import { defineConfig } from 'vitest/config';

/** Tests that start real servers: one file at a time, in a process of its own, since some become another user. */
const real = {
  pool: 'forks' as const,
  fileParallelism: false,
  testTimeout: 120_000,
  hookTimeout: 120_000,
};
const stages = 'test/stage-*.it.test.ts';
/** Played when one of the other lanes is over, so that all end at about the same time (tools/test.sh). */
const afterwards = [
  'test/client-*.it.test.ts',
  'test/restoring*.it.test.ts',
  'test/standby-backup.it.test.ts',
  'test/clone-base.it.test.ts',
];
const simulator = 'test/simulator.it.test.ts';

/** `npm test` runs these side by side: tools/test.sh. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'packages/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['**/*.it.test.ts', '**/node_modules/**'],
          // Nothing outlives a test, so that all share what is loaded once: half the processor time.
          isolate: false,
          // They run beside everything else, and come last.
          testTimeout: 60_000,
        },
      },
      { test: { name: 'simulator', include: [simulator], ...real } },
      {
        test: {
          name: 'servers',
          include: ['test/**/!(stage-*).it.test.ts'],
          exclude: [simulator, ...afterwards],
          ...real,
        },
      },
      { test: { name: 'stages', include: [stages], ...real } },
      { test: { name: 'afterwards', include: afterwards, ...real } },
    ],
  },
});
