/**
 * Backups that are declared while a cluster of one node runs: its first backup waits until its primary archives, for which that is
 * restarted, and is then made by itself.
 */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { until } from './fixtures/postgres-cluster.ts';
import { startWriters, type TestStage, withStage } from './fixtures/stage.ts';
import { declareBackups } from './fixtures/stage-backups.ts';

const listed = z.object({
  repository: z.object({ contents: z.object({ state: z.string(), backups: z.array(z.unknown()) }) }).nullable(),
  run: z.object({ by: z.string(), state: z.string() }).nullable(),
  waitsFor: z.string().nullish(),
});

async function backups(stage: TestStage): Promise<z.infer<typeof listed>> {
  const { code, stderr, stdout } = await stage.cli('backup', 'list', '--json');
  expect(code, stderr).toBe(0);
  return listed.parse(JSON.parse(stdout));
}

test('the first backup waits for a restart, which is ordered by a person', { timeout: 300_000 }, async () => {
  await withStage({ nodes: 1, appNodes: 1 }, async (stage) => {
    await declareBackups(stage, 'directory', (declared) => ({ backups: { ...declared.backups, full: '30 2 * * 0' } }));
    // Two things that the agent finds out one by one: that nothing is there, and what the server waits for.
    await until(
      'the repository was looked at, and the server',
      async () => {
        const { repository, waitsFor } = await backups(stage);
        return repository !== null && typeof waitsFor === 'string';
      },
      60_000,
    );
    const { repository, run, waitsFor } = await backups(stage);
    expect([repository?.contents.backups, run]).toEqual([[], null]);
    expect(waitsFor).toMatch(/^no backup can be made before PostgreSQL on db1 is restarted.*: understudy restart db1$/);
    expect((await stage.cli('status')).stdout).toContain(`TODO: ${waitsFor}`);
    expect(await stage.cli('backup', 'now')).toMatchObject({ code: 3, stderr: expect.stringContaining('restart db1') });

    expect(await stage.cli('restart', 'db1')).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    const writers = await startWriters(stage, 2, 'on');
    const restarted = await stage.cli('restart', 'db1', '--yes');
    expect(restarted.code, `${restarted.stdout}${restarted.stderr}`).toBe(0);
    // Its pooler holds those that have nothing open; a stop ends those within a transaction.
    const { acknowledged, failed, missing } = await writers.stop();
    expect({ missing, failed: failed.length <= 2, wrote: acknowledged > 0 }).toEqual({
      missing: 0,
      failed: true,
      wrote: true,
    });
    expect(await stage.local('db1', "select current_setting('archive_mode') as mode")).toEqual([{ mode: 'on' }]);
    await until(
      'it is made by itself',
      async () => (await backups(stage)).repository?.contents.backups.length === 1,
      120_000,
    );
    expect(await backups(stage)).toMatchObject({ run: { by: 'schedule', state: 'done' }, waitsFor: null });
    expect((await stage.cli('events')).stdout).not.toContain('backup.failed');
    await stage.untilHealthy();
  });
});
