/**
 * A backup that a standby makes, and what strikes it in the middle: the run fails in words, nothing is left running on either side, and
 * the primary makes the next one.
 */
import { expect, test } from 'vitest';
import type { BackupStanding } from '../src/api/contract/backups.ts';
import { type BackupRun, isEnded } from '../src/core/backup-run.ts';
import { ownProcesses, readCommandLine } from '../src/process/identity.ts';
import type { ObjectStore } from './fixtures/object-store.ts';
import { until } from './fixtures/postgres-cluster.ts';
import type { TestStage } from './fixtures/stage.ts';
import { ordered, withBackedUpStage } from './fixtures/stage-backups.ts';

const isOfBackup = /^(backup|backup:remote|backup:local)$|passage\.mjs$/;

/** What makes a backup, by the word that says what it is. */
function atWork({ record }: TestStage, word: RegExp = isOfBackup) {
  return ownProcesses((pid) => {
    const line = readCommandLine(pid);
    return line.some((each) => each.includes(record.root)) && line.some((each) => word.test(each));
  });
}

async function runNow(stage: TestStage): Promise<BackupRun | null> {
  const { stdout } = await stage.cli('backup', 'list', '--json');
  const standing: Pick<BackupStanding, 'run'> = JSON.parse(stdout);
  return standing.run;
}

/** Struck while the repository takes nothing, so that it is in the middle. */
async function struck(stage: TestStage, store: ObjectStore, strike: () => Promise<unknown>): Promise<BackupRun> {
  const { stdout } = await ordered(stage, 'backup', 'now', '--full', '--no-wait', '--json');
  const begun: BackupRun = JSON.parse(stdout);
  await until('both ends are at work', async () => atWork(stage, /^backup:remote$/).length >= 1, 60_000);
  store.freeze();
  let run: BackupRun | null = null;
  try {
    await strike();
    await until(
      'the run has ended',
      async () => {
        run = await runNow(stage).catch(() => null);
        return run?.id === begun.id && isEnded(run);
      },
      120_000,
    );
    await until('nothing of it is left', async () => atWork(stage).length === 0, 30_000);
  } finally {
    store.thaw();
  }
  return run ?? begun;
}

/** A failed backup is a reason not to be healthy. */
async function untilFollowed(stage: TestStage): Promise<void> {
  await stage.until(
    'the standby streams',
    ({ nodes, primary }) =>
      nodes.some(({ postgres }) => postgres?.state === 'standby' && postgres.streamingFrom === primary),
    120_000,
  );
}

async function made(stage: TestStage): Promise<BackupRun> {
  return JSON.parse((await ordered(stage, 'backup', 'now', '--full', '--json')).stdout);
}

// Minutes: in long runs alone.
test.runIf(process.env.TEST_LONG === '1')(
  'what strikes a backup of a standby leaves nothing running, and the primary makes the next one',
  { timeout: 600_000 },
  async () => {
    await withBackedUpStage(async (stage, store) => {
      expect(await made(stage)).toMatchObject({ state: 'done', node: 'db1' });

      const killed = await struck(stage, store, async () => stage.signal('agent', 'db1', 'SIGKILL'));
      expect(killed).toMatchObject({ node: 'db1', state: 'failed' });
      await untilFollowed(stage);
      expect(await made(stage)).toMatchObject({ state: 'done', node: 'db2' });

      const moved = await struck(stage, store, () => ordered(stage, 'switchover', '--to', 'db1'));
      expect(moved).toMatchObject({ node: 'db1', state: 'failed', outcome: expect.stringContaining('no more') });
      await untilFollowed(stage);
      expect(await made(stage)).toMatchObject({ state: 'done' });

      const standby = async () => ((await stage.status()).primary === 'db1' ? 'db2' : 'db1');
      expect(await made(stage)).toMatchObject({ state: 'done', node: await standby() });
      const { primary } = await stage.status();
      const silent = await struck(stage, store, async () => stage.signal('agent', primary ?? '', 'SIGKILL'));
      expect(silent).toMatchObject({ state: 'failed', outcome: expect.stringMatching(/agent|no more/) });
      await untilFollowed(stage);
      expect(await made(stage)).toMatchObject({ state: 'done' });
      console.info([killed, moved, silent].map(({ outcome }) => outcome).join('\n'));
    });
  },
);
