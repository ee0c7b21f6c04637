/**
 * People work on a server: nothing is restarted and nothing fails over, however long the primary is away. When hands are on
 * again, by order or because the time is over, the cluster heals by itself.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { withStage } from './fixtures/stage.ts';

/** Longer than an election ever takes to begin. */
const quietMs = 4_000;

test.runIf(process.env.TEST_LONG === '1')(
  'with hands off a primary that is gone stays gone, and its standby stays one',
  { timeout: 240_000 },
  async () => {
    await withStage({ nodes: 2, appNodes: 1 }, async (stage) => {
      const before = await stage.untilHealthy();
      expect(before.primary).toBe('db1');
      expect(await stage.cli('hands-off', '--for', '1h')).toMatchObject({ code: 0 });
      await stage.until('it is shown', ({ handsOff, verdict }) => handsOff !== null && verdict === 'DEGRADED');
      expect(await stage.cli('switchover')).toMatchObject({ code: 3, stdout: expect.stringContaining('hands-off') });

      // A person stops PostgreSQL: the agent does not start it again, and keeps the lease.
      stage.signal('postmaster', 'db1', 'SIGKILL');
      await stage.until('db1 is stopped', ({ nodes }) =>
        nodes.some(({ node, postgres }) => node === 'db1' && postgres?.state === 'stopped'),
      );
      await delay(quietMs);
      expect(stage.processes('postmaster', 'db1')).toEqual([]);
      expect((await stage.cli('why', '--node', 'db1')).stdout).toContain('hands are off');

      // Its agent is gone as well: the lease runs out, and nobody takes it.
      stage.signal('agent', 'db1', 'SIGSTOP');
      await stage.until('db1 is silent', ({ nodes }) =>
        nodes.some(({ node, reachable }) => node === 'db1' && reachable === 'no'),
      );
      await delay(quietMs);
      expect(await stage.status()).toMatchObject({ term: before.term, primary: 'db1' });

      expect(await stage.cli('hands-off', '--off')).toMatchObject({ code: 0 });
      await stage.until('db2 takes over', ({ primary }) => primary === 'db2');
      stage.signal('agent', 'db1', 'SIGCONT');
      await stage.untilHealthy(120_000);

      // It ends by itself, too.
      expect(await stage.cli('hands-off', '--for', '2s')).toMatchObject({ code: 0 });
      await stage.untilHealthy();
      const events = (await stage.cli('events')).stdout;
      expect(events).toContain('took the automation off for 60 min');
      expect(events).toContain('the automation acts again: its time is over');
    });
  },
);
