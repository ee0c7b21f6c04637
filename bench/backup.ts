/**
 * Rates of backup, restore and WAL push, beside pgBackRest driven by hand on the same disk in the same run.
 *
 * Prints JSON, rates in MB/s of the database or of WAL; `ratio`: the product's rate by that by hand in the same round, the median of the
 * rounds, since machines change their speed from minute to minute; 1 or more is as quick. `processorRatio`: the same of the processor time
 * that the whole machine had, which no disk's moods change.
 * The repository is a directory, encrypted and compressed with the product's defaults. A restore is copied, replayed to the end of the
 * archive, promoted and stopped by both. pgBackRest itself waits for the next second before it
 * copies: little data says little. `npm run bench:backup -- [--gb 1] [--rounds 3] [--wal-mb 512]`.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryPaths } from '../src/pgbackrest/paths.ts';
import { findBinaries } from '../src/postgres/binaries.ts';
import { run } from '../src/process/run.ts';
import { declareBackups, ordered } from '../test/fixtures/stage-backups.ts';
import { ByHand } from './backup-by-hand.ts';
import { newestMajor } from './bench-spec.ts';
import { median, rounded } from './figures.ts';
import { machineFacts } from './machine.ts';
import { StageUnderTest } from './stage-under-test.ts';
import { until } from './waiting.ts';

const archivedWithinMs = 600_000;
const readyWithinMs = 120_000;
const mb = 1024 ** 2;
/** Of the kernel's counters, on every architecture. */
const tickMs = 10;

type Ask = (sql: string) => Promise<string>;

interface Took {
  readonly ms: number;
  /** Processor time of everything on the machine. */
  readonly busyMs: number;
}

async function timed(what: string, act: () => Promise<unknown>): Promise<Took> {
  const [began, busyBefore] = [performance.now(), machineBusyMs()];
  await act();
  const took = { ms: performance.now() - began, busyMs: machineBusyMs() - busyBefore };
  console.error(`${what}: ${Math.round(took.ms)} ms, ${Math.round(took.busyMs)} ms of processors`);
  return took;
}

/** Since boot, of all processors: proc(5), `stat`, without `idle`, `iowait` and `steal`. */
function machineBusyMs(): number {
  const [all = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = all.split(/ +/).slice(1).map(Number);
  return (user + nice + system + irq + softirq) * tickMs;
}

/** Until its server archives. */
async function beginArchiving(stage: StageUnderTest): Promise<void> {
  await declareBackups(stage, 'directory');
  await ordered(stage, 'restart', 'db1', '--yes');
  await until('the server archives', readyWithinMs, 200, async () => {
    const mode = await stage.local('db1', 'SHOW archive_mode').catch(() => '');
    return mode === 'on';
  });
  await until('the agent answers', readyWithinMs, 200, async () => (await stage.status().catch(() => null)) !== null);
  await until('the repository is configured', readyWithinMs, 200, () =>
    Promise.resolve(existsSync(repositoryPaths(join(stage.record.root, 'db1', 'state')).configuration)),
  );
}

/** Rows that compress about as text of people does. */
async function fill(ask: Ask, bytes: number): Promise<void> {
  await ask('CREATE TABLE filled (id bigint, said text, also text)');
  for (let done = 0; done < bytes; done = Number(await ask("SELECT pg_total_relation_size('filled')"))) {
    await ask(`INSERT INTO filled SELECT n, md5(n::text) || md5((n * 7)::text), repeat(md5((n % 1000)::text), 4)
               FROM generate_series(1, 100000) n`);
  }
  // Nobody tidies up while it is measured, which would write all of it to the WAL once more.
  await ask('VACUUM (FREEZE, ANALYZE) filled');
  await ask('CHECKPOINT');
  await archivedAll(ask);
}

async function archivedAll(ask: Ask): Promise<void> {
  const last = await ask('SELECT pg_walfile_name(pg_switch_wal())');
  await until('it is archived', archivedWithinMs, 20, async () => {
    return (await ask("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")).slice(8) >= last.slice(8);
  });
}

/** Writes WAL as fast as the disk takes it, and waits until the last segment of it is archived. */
async function pushWal(ask: Ask, megabytes: number): Promise<void> {
  await ask(`DO $$
    DECLARE piece text := (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 32768));
    BEGIN FOR n IN 1..${megabytes} LOOP PERFORM pg_logical_emit_message(false, 'bench', piece); END LOOP; END $$`);
  await archivedAll(ask);
}

interface Sides {
  product: Took[];
  hand: Took[];
}

/** Each side goes first as often as the other, and finds a disk that owes nobody a write. */
async function inTurns(
  rounds: number,
  product: (round: number) => Promise<Took>,
  hand: (round: number) => Promise<Took>,
): Promise<Sides> {
  const sides: Sides = { product: [], hand: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const side of round % 2 === 0 ? (['product', 'hand'] as const) : (['hand', 'product'] as const)) {
      await run('sync', [], { withinMs: archivedWithinMs });
      sides[side].push(await (side === 'product' ? product(round) : hand(round)));
    }
  }
  return sides;
}

function rates({ product, hand }: Sides, megabytes: number) {
  const rate = (sides: readonly Took[]) => rounded(megabytes / (median(sides.map(({ ms }) => ms)) / 1_000));
  const ratioOf = (of: keyof Took) =>
    rounded(median(hand.map((took, round) => took[of] / (product[round] ?? took)[of])), 3);
  return {
    productMbPerS: rate(product),
    byHandMbPerS: rate(hand),
    ratio: ratioOf('ms'),
    processorRatio: ratioOf('busyMs'),
    productMs: product.map(({ ms }) => Math.round(ms)),
    byHandMs: hand.map(({ ms }) => Math.round(ms)),
  };
}

const { values } = parseArgs({
  options: {
    gb: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    'wal-mb': { type: 'string', default: '512' },
  },
});
const remove = (path: string): void => rmSync(path, { recursive: true, force: true });
const [gb, rounds, walMb] = [Number(values.gb), Number(values.rounds), Number(values['wal-mb'])];
if (![gb, rounds, walMb].every((value) => value > 0))
  throw new Error('--gb, --rounds and --wal-mb are numbers above 0');

const measured = await StageUnderTest.with({ nodes: 1, appNodes: 0 }, async (stage) => {
  await beginArchiving(stage);
  const hand = new ByHand(stage, (await findBinaries(await newestMajor(), null)).directory);
  const ask: Ask = (sql) => hand.ask(sql);
  await fill(ask, gb * 1024 * mb);
  const databaseMb = Number(await ask('SELECT sum(pg_database_size(oid)) FROM pg_database')) / mb;

  const backup = await inTurns(
    rounds,
    () => timed('backup by the product', () => ordered(stage, 'backup', 'now', '--full')),
    () => timed('backup by hand', () => hand.backup()),
  );
  const restore = await inTurns(
    rounds,
    async (round) => {
      const into = join(stage.record.root, `restored-${round}`);
      const took = await timed('restore by the product', () =>
        ordered(stage, 'restore', '--to', 'latest', '--into', into, '--yes'),
      );
      remove(into);
      return took;
    },
    (round) => timed('restore by hand', () => hand.restore(`hand-${round}`)),
  );
  for (let round = 1; round < rounds; round += 1) remove(join(stage.record.root, `hand-${round}`));
  const server = await hand.startArchiving(join(stage.record.root, 'hand-0'));
  try {
    const walPush = await inTurns(
      rounds,
      () => timed('WAL push by the product', () => pushWal(ask, walMb)),
      () => timed('WAL push by hand', () => pushWal(server.ask, walMb)),
    );
    const sizes = { databaseMb: rounded(databaseMb), walMb };
    return {
      ...sizes,
      backup: rates(backup, databaseMb),
      restore: rates(restore, databaseMb),
      walPush: rates(walPush, walMb),
    };
  } finally {
    await server.stop();
  }
});
console.log(JSON.stringify({ machine: await machineFacts(), rounds, ...measured }, null, 2));
