/**
 * The store is lost for good. The cluster is run by hand: applications write again through their pooler; then a fresh
 * store takes over, and the automation goes on, without a lost row.
 */
import { expect, test } from 'vitest';
import { startWriters, withStage } from './fixtures/stage.ts';

test.runIf(process.env.TEST_LONG === '1')(
  'a cluster whose store is lost for good runs by hand, and returns to a fresh one',
  {
    timeout: 420_000,
  },
  async () => {
    await withStage({ nodes: 2, appNodes: 1 }, async (stage) => {
      await stage.untilHealthy();
      expect(await stage.cli('by-hand', '--perform', 'stop', '--yes')).toMatchObject({ code: 3 });
      const manual = await stage.cli('by-hand');
      expect(manual).toMatchObject({ code: 0, stdout: expect.stringContaining('pg_waldump') });

      const writers = await startWriters(stage, 2);
      stage.signal('store', 'db1', 'SIGSTOP');
      // Every agent knows it now, and nothing was promised for ever.
      // Whoever answers has waited longer than the others must have: one hears from the store two seconds before another.
      await stage.until('the store is silent', ({ storeAgeMs }) => (storeAgeMs ?? 0) > 18_000);
      for (const step of ['stop', 'choose', 'promote', 'poolers']) {
        const done = await stage.cli('by-hand', '--perform', step, '--yes');
        expect({ step, ...done }).toMatchObject({ code: 0, stderr: '' });
      }
      const before = stage.processes('postmaster').map(({ node, pid }) => ({ node, pid }));
      expect(before).toHaveLength(1);
      const byHand = await startWriters(stage, 2);
      for (const step of ['store', 'return']) {
        const done = await stage.cli('by-hand', '--perform', step, '--yes');
        expect({ step, ...done }).toMatchObject({ code: 0, stderr: '' });
      }
      const after = await stage.untilHealthy(120_000);
      expect(stage.processes('postmaster').map(({ node, pid }) => ({ node, pid }))).toContainEqual(before[0]);
      expect(after.primary).toBe(before[0]?.node);
      // Nothing was refused since the poolers were repointed.
      expect(await byHand.stop()).toMatchObject({ failed: [], missing: 0 });
      expect(await writers.stop()).toMatchObject({ missing: 0 });

      const moved = await stage.cli('switchover');
      expect(moved).toMatchObject({ code: 0 });
    });
  },
);
