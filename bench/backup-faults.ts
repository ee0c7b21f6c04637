/**
 * A table of what goes wrong with backups, what a person is told, and what comes back: on one stage whose repository is in object storage
 * over verified TLS, under four writers. In the end everything that was acknowledged is looked for in what is restored.
 *
 * Prints JSON; exit code 1 when a scenario was not as it should be, when anything is missing, or when the archive has a gap. As root.
 * `npm run faults:backup -- [--minutes 10] [--only TEXT,...] [--mb 200]`: how long the bucket is away, and how much data there is.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { z } from 'zod';
import { findBinaries } from '../src/postgres/binaries.ts';
import { startObjectStore } from '../test/fixtures/object-store.ts';
import { ordered } from '../test/fixtures/stage-backups.ts';
import { ByHand } from './backup-by-hand.ts';
import { type BackupScenario, backupScenarios, bucketAway, standingOf, untilSafe } from './backup-fault-scenarios.ts';
import { type Scene, startArchiving, startHistory } from './backup-fault-scene.ts';
import { newestMajor } from './bench-spec.ts';
import { machineFacts } from './machine.ts';
import { StageUnderTest } from './stage-under-test.ts';

interface Row {
  readonly scenario: string;
  readonly told?: string;
  readonly backMs?: number | null;
  readonly bad?: string;
}

async function played(scene: Scene, { name, play }: BackupScenario): Promise<Row> {
  let row: Row;
  try {
    row = { scenario: name, ...(await play(scene)) };
  } catch (error) {
    row = { scenario: name, bad: error instanceof Error ? error.message : String(error) };
  }
  console.error(JSON.stringify(row));
  return row;
}

async function fill(stage: StageUnderTest, megabytes: number): Promise<void> {
  const client = new pg.Client(stage.application());
  await client.connect();
  try {
    await client.query('CREATE TABLE history (id bigint PRIMARY KEY)');
    await client.query('CREATE TABLE filled (id bigint, said text)');
    for (let done = 0; done < megabytes; done += 10) {
      await client.query(
        `INSERT INTO filled SELECT n, md5(random()::text) || md5(random()::text) || md5(random()::text) FROM generate_series(1, 75000) n`,
      );
    }
  } finally {
    await client.end();
  }
}

/** What became of the ids that were acknowledged, in what is restored in the end. */
async function account({ history, stage, ...scene }: Scene) {
  const into = join(stage.record.root, 'in-the-end');
  await untilSafe({ history, stage, ...scene });
  const restored = await ordered(stage, 'restore', '--to', 'latest', '--into', into, '--yes', '--json');
  const { plan, recovered } = z
    .looseObject({ plan: z.looseObject({ set: z.string(), possible: z.string().nullable() }), recovered: z.unknown() })
    .parse(JSON.parse(restored.stdout));
  const hand = new ByHand(stage, (await findBinaries(await newestMajor(), null)).directory);
  const there = new Set((await hand.askRestored(into, 'SELECT id FROM history')).split('\n').map(Number));
  // Too many for the arguments of a function.
  const inOrder = Float64Array.from(history.acknowledged).sort();
  const missing = inOrder.filter((id) => !there.has(id));
  return {
    acknowledged: inOrder.length,
    newestAcknowledged: inOrder.at(-1),
    missing: missing.length,
    ...(missing.length === 0 ? {} : { firstMissing: missing[0], lastMissing: missing.at(-1) }),
    restored: { set: plan.set, possible: plan.possible, recovered },
  };
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    mb: { type: 'string', default: '200' },
    only: { type: 'string', default: '' },
  },
});
const minutes = z.coerce.number().min(0).parse(values.minutes);
const megabytes = z.coerce.number().positive().parse(values.mb);
const wanted = values.only.split(',').filter(Boolean);
const all = [...backupScenarios, ...(minutes > 0 ? [bucketAway(minutes)] : [])];
const chosen = all.filter(({ name }) => wanted.length === 0 || wanted.some((text) => name.includes(text)));

const store = await startObjectStore();
try {
  const result = await StageUnderTest.with({ nodes: 2, appNodes: 1 }, async (stage) => {
    const files = await startArchiving(stage, store);
    await fill(stage, megabytes);
    await ordered(stage, 'backup', 'now', '--full');
    const history = startHistory(stage);
    const scene: Scene = { stage, store, files, history };
    const rows: Row[] = [];
    for (const scenario of chosen) rows.push(await played(scene, scenario));
    await history.stop();
    const found = await account(scene);
    const gaps = ((await standingOf(scene)).window?.stretches ?? []).filter(({ end }) => end.because === 'wal-missing');
    rmSync(join(stage.record.root, 'in-the-end'), { recursive: true, force: true });
    return { rows, ...found, commitsRefused: history.failed, gaps: gaps.length };
  });
  console.log(JSON.stringify({ machine: await machineFacts(), ...result }, null, 2));
  if (result.missing > 0 || result.gaps > 0 || result.rows.some(({ bad }) => bad !== undefined)) process.exitCode = 1;
} finally {
  await store.close();
}
