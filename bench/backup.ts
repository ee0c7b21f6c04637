/**
 * Rates of backup, restore and WAL push, beside pgBackRest driven by hand on the same disk in the same run.
 *
 * Prints JSON, rates in MB/s of the database or of WAL; `ratio`: the product's median rate by that by hand, 1 or more is as quick.
 * The repository is a directory, encrypted and compressed with the product's defaults. A restore is copied, replayed to the end of the
 * archive, promoted and stopped by both. `npm run bench:backup -- [--gb 1] [--rounds 3] [--wal-mb 512]`.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { repositoryPaths } from '../src/pgbackrest/paths.ts';
import { findBinaries } from '../src/postgres/binaries.ts';
import { run } from '../src/process/run.ts';
import { ByHand } from './backup-by-hand.ts';
import { newestMajor } from './bench-spec.ts';
import { median, rounded } from './figures.ts';
import { machineFacts } from './machine.ts';
import { StageUnderTest } from './stage-under-test.ts';
import { until } from './waiting.ts';

const archivedWithinMs = 600_000;
const readyWithinMs = 120_000;
const mb = 1024 ** 2;

type Ask = (sql: string) => Promise<string>;

/** In ms. */
async function timed(what: string, act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  const tookMs = performance.now() - began;
  console.error(`${what}: ${Math.round(tookMs)} ms`);
  return tookMs;
}

async function ordered(stage: StageUnderTest, ...args: readonly string[]): Promise<void> {
  const { code, stderr, stdout } = await stage.cli(...args);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
}

async function declareBackups(stage: StageUnderTest): Promise<void> {
  const { root, user } = stage.record;
  const to = join(root, 'backups');
  mkdirSync(to);
  await chown(to, user.uid, user.gid);
  const file = join(root, 'cluster.yaml');
  const declared = z.looseObject({}).parse(parse(readFileSync(file, 'utf8')));
  writeFileSync(
    file,
    stringify({ ...declared, backups: { to, differential: 'never', full: 'never', proof: 'never' } }),
  );
  await ordered(stage, 'apply', file, '--json');
  // Nobody else could be primary while it is restarted in order: its agent starts it again.
  await ordered(stage, 'stage', 'fault', 'kill', 'db1', '--what', 'postgres');
  await until('the server archives', readyWithinMs, 200, async () => {
    const mode = await stage.local('db1', 'SHOW archive_mode').catch(() => '');
    return mode === 'on';
  });
  await until('the agent answers', readyWithinMs, 200, async () => (await stage.status().catch(() => null)) !== null);
  await until('the repository is configured', readyWithinMs, 200, () =>
    Promise.resolve(existsSync(repositoryPaths(join(root, 'db1', 'state')).configuration)),
  );
}

/** Rows that compress about as text of people does. */
async function fill(ask: Ask, bytes: number): Promise<void> {
  await ask('CREATE TABLE filled (id bigint, said text, also text)');
  for (let done = 0; done < bytes; done = Number(await ask("SELECT pg_total_relation_size('filled')"))) {
    await ask(`INSERT INTO filled SELECT n, md5(n::text) || md5((n * 7)::text), repeat(md5((n % 1000)::text), 4)
               FROM generate_series(1, 100000) n`);
  }
  await ask('CHECKPOINT');
}

/** Writes WAL as fast as the disk takes it, and waits until the last segment of it is archived. */
async function pushWal(ask: Ask, megabytes: number): Promise<void> {
  await ask(`DO $$
    DECLARE piece text := (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 32768));
    BEGIN FOR n IN 1..${megabytes} LOOP PERFORM pg_logical_emit_message(false, 'bench', piece); END LOOP; END $$`);
  const last = await ask('SELECT pg_walfile_name(pg_switch_wal())');
  await until('it is archived', archivedWithinMs, 20, async () => {
    return (await ask("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")).slice(8) >= last.slice(8);
  });
}

interface Sides {
  product: number[];
  hand: number[];
}

/** Each side goes first as often as the other, and finds a disk that owes nobody a write. */
async function inTurns(
  rounds: number,
  product: (round: number) => Promise<number>,
  hand: (round: number) => Promise<number>,
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
  const rate = (times: readonly number[]) => rounded(megabytes / (median(times) / 1_000));
  return {
    productMbPerS: rate(product),
    byHandMbPerS: rate(hand),
    ratio: rounded(median(hand) / median(product), 3),
    productMs: product.map(Math.round),
    byHandMs: hand.map(Math.round),
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
  await declareBackups(stage);
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
