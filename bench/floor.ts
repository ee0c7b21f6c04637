/**
 * The floor: what a tight hand-written script needs to move a primary, on two bare servers and one pooler.
 *
 * Its connections are kept open, it signals and looks at files instead of calling pg_ctl, and polls each millisecond.
 * It proves nothing and guards against nothing: no lease, no barrier over several poolers, no undo. It is the measure
 * that the product is held against.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { formatLsn } from '../src/core/lsn.ts';
import { readControl } from '../src/postgres/control-file.ts';
import { isAlive } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import { stageAccount } from '../src/stage/account.ts';
import { chooseNetwork } from '../src/stage/network.ts';
import { benchSpec } from './bench-spec.ts';
import { figuresOf, rounded, spread } from './figures.ts';
import { FloorServers } from './floor-servers.ts';
import { createLoadTable, longestGap, monotonicMs, verifyLoad } from './load.ts';
import { startLoadThread } from './load-thread.ts';
import { machineFacts } from './machine.ts';
import { isMain } from './main-module.ts';
import { until } from './waiting.ts';

export type FloorPhases = Record<'pause' | 'stop' | 'replay' | 'promote' | 'resume', number>;

export interface FloorMove {
  readonly beganMs: number;
  readonly endedMs: number;
  readonly phases: FloorPhases;
}

const calmMs = 1_500;
const aroundMs = 500;

/** One floor that is up, with its script. */
export class Floor {
  readonly #servers: FloorServers;
  readonly #console: Client;
  #primary: 0 | 1 = 0;
  #primaryClient: Client;
  #standbyClient: Client;

  private constructor(servers: FloorServers, console: Client, clients: readonly [Client, Client]) {
    this.#servers = servers;
    this.#console = console;
    [this.#primaryClient, this.#standbyClient] = clients;
  }

  static async start(walSegmentMb: number): Promise<Floor> {
    const directory = mkdtempSync(join(tmpdir(), 'understudy-floor-'));
    const place = {
      directory,
      network: await chooseNetwork(directory, 3),
      account: await stageAccount(),
      spec: await benchSpec(),
      walSegmentMb,
    };
    const servers = await FloorServers.start(place);
    const [first, second] = servers.servers;
    return new Floor(servers, await servers.console(), [await servers.connect(first), await servers.connect(second)]);
  }

  get connect() {
    const { address, port } = this.#servers.pooler;
    return { host: address, port, user: 'shop', password: this.#servers.password, database: 'shop' };
  }

  /** Moves the primary; returns when the old one streams again. */
  async move(): Promise<FloorMove> {
    const { servers } = this.#servers;
    const [from, to] = this.#primary === 0 ? servers : [servers[1], servers[0]];
    await this.#primaryClient.query('checkpoint');
    await this.#standbyClient.query('checkpoint');
    const postmaster = this.#servers.postmaster(from);
    const beganMs = monotonicMs();
    const marks: number[] = [beganMs];
    const mark = (): number => marks.push(monotonicMs());
    await this.#console.query('PAUSE shop');
    mark();
    sendSignal(postmaster, 'SIGINT');
    await until(`${from.name} has stopped`, 30_000, 1, () => !isAlive(postmaster));
    mark();
    const control = readControl(join(from.data, 'global', 'pg_control'));
    if (control.found !== 'control' || control.control.state !== 'shut-down')
      throw new Error(`${from.name} did not stop cleanly`);
    const goal = formatLsn(control.control.checkpointLsn);
    await until(`${to.name} has replayed all`, 30_000, 1, () =>
      this.#ask(`select pg_last_wal_replay_lsn() > '${goal}' as yes`),
    );
    mark();
    await this.#standbyClient.query('select pg_promote(false)');
    await until(`${to.name} is primary`, 30_000, 1, () => this.#ask('select not pg_is_in_recovery() as yes'));
    mark();
    this.#servers.pointPooler(to);
    await this.#console.query('RELOAD');
    await this.#console.query('RESUME shop');
    mark();
    const endedMs = monotonicMs();
    await this.#comeBack(from, to);
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = marks;
    return { beganMs, endedMs, phases: { pause: b - a, stop: c - b, replay: d - c, promote: e - d, resume: f - e } };
  }

  async end(): Promise<void> {
    await Promise.allSettled([this.#console.end(), this.#primaryClient.end(), this.#standbyClient.end()]);
    await this.#servers.end();
  }

  /** The stopped server starts as a standby of the new primary. */
  async #comeBack(from: FloorServers['servers'][0], to: FloorServers['servers'][0]): Promise<void> {
    await this.#primaryClient.end().catch(() => undefined);
    this.#servers.follow(from, to);
    await this.#servers.startServer(from);
    this.#primary = this.#primary === 0 ? 1 : 0;
    this.#primaryClient = this.#standbyClient;
    this.#standbyClient = await this.#servers.connect(from);
    await until(`${from.name} streams`, 30_000, 10, async () => {
      const { rows } = await this.#primaryClient.query("select from pg_stat_replication where state = 'streaming'");
      return rows.length === 1;
    });
  }

  async #ask(text: string): Promise<boolean> {
    const { rows } = await this.#standbyClient.query<{ yes: boolean | null }>(text);
    return rows[0]?.yes === true;
  }
}

/** Ten moves under load, and their account. */
export async function measureFloor(moves: number, writers: number, walSegmentMb: number, tell: (line: string) => void) {
  const floor = await Floor.start(walSegmentMb);
  try {
    await createLoadTable(floor.connect, 'load');
    const load = startLoadThread({ connect: floor.connect, writers, run: 'floor', table: 'load' });
    const done: FloorMove[] = [];
    for (let count = 0; count < moves; count += 1) {
      await delay(calmMs);
      const move = await floor.move();
      done.push(move);
      tell(`floor (${walSegmentMb} MB segments) ${count + 1}: ${Math.round(move.endedMs - move.beganMs)} ms`);
    }
    await delay(calmMs);
    const account = await load.stop();
    const gaps = done.map(({ beganMs, endedMs }) => longestGap(account, beganMs - aroundMs, endedMs + aroundMs).ms);
    const verification = await verifyLoad(floor.connect, account);
    return {
      gapsMs: gaps,
      phases: done.map((move) => move.phases),
      commits: verification.acknowledged,
      failedTransactions: account.failures.length,
      lostTransactions: verification.lost.length,
    };
  } finally {
    await floor.end();
  }
}

if (isMain(import.meta.url)) {
  const { gapsMs, phases, ...counts } = await measureFloor(10, 8, Number(process.argv[2] ?? 16), (line) =>
    console.error(line),
  );
  const figures = { gapMs: spread(gapsMs), phasesMs: figuresOf(phases), gapsMs: gapsMs.map((gap) => rounded(gap)) };
  console.log(JSON.stringify({ ...figures, ...counts, machine: await machineFacts() }, null, 2));
}
