/**
 * The primary and one of two synchronous standbys are gone at once: the remaining one may lack a replicated commit, and
 * the cluster waits. A person accepts that, and it goes on; whoever was away comes back behind the new primary.
 */
import { expect, test } from 'vitest';
import { sendSignal } from '../src/process/signal.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';

function loseHost(stage: TestStage, node: string): void {
  stage.signal('agent', node, 'SIGSTOP');
  for (const one of [...stage.processes('postmaster', node), ...stage.processes('backend', node)]) {
    sendSignal(one, 'SIGKILL');
  }
}

test.runIf(process.env.TEST_LONG === '1')(
  'a failover that would lose something waits for a person, and for their word',
  { timeout: 300_000 },
  async () => {
    await withStage({ nodes: 3, appNodes: 1 }, async (stage) => {
      const before = await stage.untilWhole();
      expect(before.primary).toBe('db1');
      expect(await stage.cli('failover', '--accept-loss', '--yes')).toMatchObject({
        code: 3,
        stdout: expect.stringContaining('lease-held'),
      });

      loseHost(stage, 'db3');
      loseHost(stage, 'db1');
      // Until the lease has run out, its holder may be alive, and nobody is asked to accept anything.
      await expect
        .poll(async () => (await stage.cli('failover')).stdout, { timeout: 60_000, interval: 500 })
        .toContain('db2 would take over.');
      const refused = await stage.cli('failover');
      expect(refused.code).toBe(3);
      expect(refused.stdout).toMatch(/db3 +not heard/);
      expect(await stage.status()).toMatchObject({ term: before.term });

      const accepted = await stage.cli('failover', '--accept-loss', '--yes');
      expect(accepted).toMatchObject({ code: 0, stdout: expect.stringContaining('db2 is primary, term') });
      expect((await stage.cli('events')).stdout).toContain('a loss that');

      stage.signal('agent', 'db1', 'SIGCONT');
      stage.signal('agent', 'db3', 'SIGCONT');
      await stage.untilHealthy(120_000);
    });
  },
);
