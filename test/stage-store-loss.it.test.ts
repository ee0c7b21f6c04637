/**
 * The whole store is gone: a primary whose standbys all promise to wait goes on without an interruption; one that hears
 * a single one of them no more ends its PostgreSQL in time, and comes back in its own term when the store does.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startWriters, type TestStage, withStage } from './fixtures/stage.ts';

/** Several times the lease's TTL of 6 s. */
const goneMs = 15_000;

function signalStore(stage: TestStage, name: NodeJS.Signals): void {
  for (const node of stage.record.storeMembers) stage.signal('store', node, name);
}

test('without its store a primary stays one while all who could be promoted promise to wait', {
  timeout: 180_000,
}, async () => {
  await withStage({ nodes: 3, appNodes: 1 }, async (stage) => {
    const before = await stage.untilHealthy();
    expect(before.primary).toBe('db1');

    const writers = await startWriters(stage, 4);
    signalStore(stage, 'SIGSTOP');
    await delay(goneMs);
    signalStore(stage, 'SIGCONT');
    const after = await stage.untilHealthy();
    const verdict = await writers.stop();
    expect(verdict.failed).toEqual([]);
    expect(verdict.missing).toBe(0);
    expect({ primary: after.primary, term: after.term }).toEqual({ primary: 'db1', term: before.term });

    // Now one of them does not answer: it might be electing another on the far side of a partition.
    signalStore(stage, 'SIGSTOP');
    stage.signal('agent', 'db3', 'SIGSTOP');
    await expect.poll(() => stage.processes('postmaster', 'db1').length, { timeout: 30_000, interval: 100 }).toBe(0);
    signalStore(stage, 'SIGCONT');
    stage.signal('agent', 'db3', 'SIGCONT');
    await stage.untilHealthy(90_000);
  });
});
