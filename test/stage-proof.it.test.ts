/** A proof in a real cluster: ordered by a person, done by the standby, and part of what `status` says. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { nodeDirectory } from '../src/stage/record.ts';
import { until } from './fixtures/postgres-cluster.ts';
import { withBackedUpStage } from './fixtures/stage-backups.ts';

const listed = z.object({
  window: z.object({ stretches: z.array(z.object({ fromMs: z.number(), toMs: z.number() })) }),
});
const proofRun = z.object({ state: z.string(), node: z.string(), outcome: z.string().nullable() });

// Minutes: in long runs alone.
test.runIf(process.env.TEST_LONG === '1')(
  'a standby proves a moment, and status says so',
  { timeout: 300_000 },
  async () => {
    await withBackedUpStage(async (stage) => {
      expect((await stage.cli('backup', 'prove', '--on', 'db2')).code).toBe(3);
      const made = await stage.cli('backup', 'now');
      expect(made.code, made.stderr).toBe(0);
      const spanned = async () => {
        const { stdout } = await stage.cli('backup', 'list', '--json');
        return listed.safeParse(JSON.parse(stdout)).data?.window.stretches.some((one) => one.toMs - one.fromMs > 5_000);
      };
      await until('there is something to prove', spanned, 150_000);
      const { code, stderr, stdout } = await stage.cli('backup', 'prove', '--json');
      expect(code, `${stdout}${stderr}`).toBe(0);
      expect(proofRun.parse(JSON.parse(stdout))).toMatchObject({ state: 'done', node: 'db1' });
      expect((await stage.cli('status')).stdout).toMatch(/restore proven \d+ s ago, /);
      expect((await stage.cli('events')).stdout).toContain('has proven that backups can be restored');
      // What was made for it stays, and is empty.
      const past = join(nodeDirectory(stage.record, 'db1'), 'state', 'past');
      expect(readdirSync(past)).toEqual([]);
      await stage.untilWhole();
    });
  },
);
