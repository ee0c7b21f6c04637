/**
 * What @understudy/client costs beside bare `pg.Pool`, on one pair of bare servers, over TCP with SCRAM.
 *
 * Prints JSON: for each kind of work the time of one piece in microseconds, with the bare pool and with the library in turns
 * in the same run, and their ratio: the median over the turns of each turn's own ratio. One client after the other, so that
 * what is added to a single piece of work is all that shows. Each turn has its bare half first and last in alternation.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterPool } from '@understudy/client';
import pg from 'pg';
import { stageAccount } from '../src/stage/account.ts';
import { chooseNetwork } from '../src/stage/network.ts';
import { benchSpec } from './bench-spec.ts';
import { median, rounded } from './figures.ts';
import { FloorServers } from './floor-servers.ts';
import { machineFacts } from './machine.ts';

const turns = 15;
const piecesPerTurn = 1_500;
const warmUp = 500;

type Piece = () => Promise<unknown>;

async function timed(piece: Piece, times: number): Promise<number> {
  const begun = performance.now();
  for (let n = 0; n < times; n += 1) await piece();
  return ((performance.now() - begun) / times) * 1_000;
}

/** In microseconds for one piece. */
async function compare(bare: Piece, ours: Piece, times = piecesPerTurn) {
  await timed(bare, warmUp);
  await timed(ours, warmUp);
  const pairs: (readonly [number, number])[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const first = turn % 2 === 0 ? bare : ours;
    const a = await timed(first, times);
    const b = await timed(first === bare ? ours : bare, times);
    pairs.push(first === bare ? [a, b] : [b, a]);
  }
  return {
    bareUs: rounded(median(pairs.map(([a]) => a))),
    oursUs: rounded(median(pairs.map(([, b]) => b))),
    ratio: rounded(median(pairs.map(([a, b]) => b / a)), 3),
  };
}

async function byHand(pool: pg.Pool, text: string, values: unknown[]): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(text, values);
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}

const directory = mkdtempSync(join(tmpdir(), 'understudy-client-bench-'));
const servers = await FloorServers.start({
  directory,
  network: await chooseNetwork(directory, 3),
  account: await stageAccount(),
  spec: await benchSpec(),
  walSegmentMb: 16,
});
const open: pg.Pool[] = [];
try {
  const [primary, standby] = servers.servers;
  const { port } = (await benchSpec()).postgres;
  const login = { port, user: 'postgres', password: servers.password, database: 'postgres', max: 4 };
  const atPrimary = { ...login, host: primary.address };
  const atStandby = { ...login, host: standby.address };
  const bare = new pg.Pool(atPrimary);
  const bareStandby = new pg.Pool(atStandby);
  const alone = new ClusterPool(atPrimary);
  const db = new ClusterPool({ ...atPrimary, replicas: { standby: { host: standby.address } } });
  open.push(bare, bareStandby, alone, db);

  await bare.query('CREATE TABLE rows (id int PRIMARY KEY, text text)');
  await bare.query("INSERT INTO rows SELECT g, repeat('x', 100) FROM generate_series(1, 10000) g");
  let last = 10_000;
  const key = (): number => 1 + Math.floor(Math.random() * 10_000);
  const one = 'SELECT text FROM rows WHERE id = $1';
  const insert = 'INSERT INTO rows VALUES ($1)';
  const nextId = (): number => {
    last += 1;
    return last;
  };
  while ((await bareStandby.query(one, [10_000]).catch(() => ({ rowCount: 0 }))).rowCount !== 1) {
    // The standby has yet to hear of the table.
  }
  const bareWrite = () => byHand(bare, insert, [nextId()]);
  const ours = (of: ClusterPool) => of.tx((t) => t.query(insert, [nextId()]));
  const { first } = await db.explainRoute();
  if (first !== 'standby') throw new Error(`reads would go to ${first ?? 'nobody'}`);

  const figures = {
    'single-row read on the primary, query()': await compare(
      () => bare.query(one, [key()]),
      () => alone.query(one, [key()]),
    ),
    'the same with replicas declared': await compare(
      () => bare.query(one, [key()]),
      () => db.query(one, [key()]),
    ),
    'single-row read on a replica, read().query()': await compare(
      () => bareStandby.query(one, [key()]),
      () => db.read().query(one, [key()]),
    ),
    'the same within a session that wrote nothing': await db.session(null, () =>
      compare(
        () => bareStandby.query(one, [key()]),
        () => db.read().query(one, [key()]),
      ),
    ),
    'transaction of one write, tx()': await compare(bareWrite, () => ours(alone), 300),
    'the same within a session that is to read its writes': await compare(
      bareWrite,
      () => db.session(null, () => ours(db)),
      300,
    ),
  };
  console.log(JSON.stringify({ machine: await machineFacts(), turns, figures }, null, 2));
} finally {
  for (const pool of open) await pool.end();
  await servers.end();
}
