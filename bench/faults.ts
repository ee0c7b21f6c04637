/**
 * A table of what goes wrong and what it costs: each scenario on a stage of its own, whose hosts have networks and disks of their own, under
 * eight writers, of whom four ask for replicated commits.
 *
 * Prints JSON. `gapMs`: the longest time without an acknowledged commit to any writer; `redundantMs`: from the end of the
 * fault until the primary streams to every standby again; `lost`: acknowledged and missing then; `forked`: rows that the nodes do
 * not agree on. Needs root. `npm run faults -- [--times 1] [--only TEXT,...] [--think MS] [--logs DIRECTORY]`:
 * with `--logs` the events and logs of every scenario are kept there.
 *
 * A scenario in which something went wrong that may not (a replicated commit lost, a refused one there, nodes that disagree, no
 * redundancy in time) is marked `bad`, with the stage's last events; then the exit code is 1.
 */
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { nodeDirectory, type StageRecord } from '../src/stage/record.ts';
import { readFaultOptions } from './fault-options.ts';
import { type Scenario, scenarios } from './fault-scenarios.ts';
import { rounded, spread } from './figures.ts';
import { createLoadTable, type LoadAccount, longestGap, monotonicMs, type Verification, verifyLoad } from './load.ts';
import { startLoadThread, type ThreadLoad } from './load-thread.ts';
import { machineFacts } from './machine.ts';
import { StageUnderTest } from './stage-under-test.ts';
import { until } from './waiting.ts';

const writers = 4;
const diskMb = 1_024;
const calmMs = 3_000;
const wholeWithinMs = 120_000;
const endWithinMs = 60_000;
const shownEvents = 60;

const options = readFaultOptions(scenarios);

interface Lane {
  readonly gapMs: number;
  /** When it began, from the strike. */
  readonly gapAtMs: number;
  readonly failed: number;
  readonly unknown: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly phantom: number;
  /** Of those that failed or are unknown, in the writers' words. */
  readonly because: Readonly<Record<string, number>>;
}

interface Outcome {
  readonly scenario: string;
  readonly moved: boolean;
  readonly local: Lane;
  readonly replicated: Lane;
  /** Transactions that the cluster itself lists as lost, whoever wrote them. */
  readonly reported: number;
  readonly redundantMs: number;
  readonly forked: number;
  /** Of the machine while it was played: others' work stretches every figure. */
  readonly runnable: number;
}

interface Failure {
  readonly scenario: string;
  readonly because: string;
  readonly events: readonly string[];
}

async function playOnce(stage: StageUnderTest, scenario: Scenario, turn: number): Promise<Outcome> {
  const connect = stage.application();
  const table = `load_${turn}`;
  await untilWhole(stage);
  const reportedBefore = await reportedLost(stage);
  await createLoadTable(connect, table);
  const shared = { connect, writers, table, thinkMs: options.thinkMs };
  const local = startLoadThread({ ...shared, run: 'local' });
  const replicated = startLoadThread({ ...shared, run: 'replicated', commit: 'on' });
  await delay(calmMs);
  const primary = await untilWhole(stage);
  const standbys = databases(stage).filter((name) => name !== primary);
  const fromMs = monotonicMs();
  await scenario.play({ stage, primary, standbys });
  const healedMs = monotonicMs();
  const after = await untilWhole(stage);
  const toMs = monotonicMs();
  await delay(calmMs);
  const endMs = monotonicMs();
  const reported = await reportedLost(stage);
  const accounts = { local: await ended(local), replicated: await ended(replicated) };
  return {
    scenario: scenario.name,
    moved: after !== primary,
    local: laneOf(accounts.local, await verifyLoad(connect, accounts.local), fromMs, endMs),
    replicated: laneOf(accounts.replicated, await verifyLoad(connect, accounts.replicated), fromMs, endMs),
    reported: [...reported].reduce((sum, [id, count]) => sum + (reportedBefore.has(id) ? 0 : count), 0),
    redundantMs: rounded(toMs - healedMs),
    forked: await forkedRows(stage, after, table),
    runnable: rounded(loadavg()[0] ?? Number.NaN),
  };
}

function laneOf(account: LoadAccount, found: Verification, fromMs: number, toMs: number): Lane {
  const count = (outcome: 'failed' | 'unknown') => account.failures.filter((one) => one.outcome === outcome).length;
  const gap = longestGap(account, fromMs, toMs);
  return {
    gapMs: rounded(gap.ms),
    gapAtMs: rounded(gap.fromMs - fromMs),
    failed: count('failed'),
    unknown: count('unknown'),
    acknowledged: found.acknowledged,
    lost: found.lost.length,
    phantom: found.phantom.length,
    because: tally(account.failures.map(({ outcome, because }) => `${outcome}: ${because}`)),
  };
}

function tally(texts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}

function added(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [text, count] of counts.flatMap((one) => Object.entries(one))) sums[text] = (sums[text] ?? 0) + count;
  return sums;
}

function databases({ record }: StageUnderTest): readonly string[] {
  return record.nodes.filter(({ role }) => role === 'database').map(({ name }) => name);
}

/** By what the servers say, since an agent may not have noticed yet. Answers the primary. */
async function untilWhole(stage: StageUnderTest): Promise<string> {
  let primary = '';
  const wanted = `false|${databases(stage).length - 1}`;
  const streams = "select pg_is_in_recovery() || '|' || count(*) from pg_stat_replication where state = 'streaming'";
  await until('full redundancy', wholeWithinMs, 100, async () => {
    const status = await stage.status().catch(() => null);
    if (status === null || status.verdict !== 'HEALTHY' || status.nodes.some((node) => node.unconverged.length > 0))
      return false;
    primary = status.primary ?? '';
    return (await stage.local(primary, streams).catch(() => '')) === wanted;
  });
  return primary;
}

async function ended(load: ThreadLoad): Promise<LoadAccount> {
  const late = new AbortController();
  const tooLate = async (): Promise<never> => {
    await delay(endWithinMs, undefined, { signal: late.signal });
    throw new Error(`a writer's statement was not answered within ${endWithinMs} ms of full redundancy`);
  };
  try {
    return await Promise.race([load.stop(), tooLate()]);
  } finally {
    late.abort();
  }
}

/** Rows by which the standbys differ from the primary, once they have replayed all of it. */
async function forkedRows(stage: StageUnderTest, primary: string, table: string): Promise<number> {
  const position = await stage.local(primary, 'select pg_current_wal_flush_lsn()');
  const digest = `select count(*) || '|' || coalesce(sum(hashtextextended(l.run || '/' || writer || '/' || number, 0)), 0) from ${table} l`;
  const wanted = await stage.local(primary, digest);
  let forked = 0;
  for (const name of databases(stage).filter((other) => other !== primary)) {
    await until(`${name} has replayed`, endWithinMs, 50, async () => {
      return (await stage.local(name, `select pg_last_wal_replay_lsn() >= '${position}'`)) === 't';
    });
    const found = await stage.local(name, digest);
    const rows = (text: string) => Number(text.split('|')[0]);
    if (found !== wanted) forked += Math.max(1, Math.abs(rows(found) - rows(wanted)));
  }
  return forked;
}

const lostAnswer = z.array(
  z.object({ reports: z.array(z.object({ id: z.string(), transactions: z.number() })).default([]) }),
);

/** What `understudy lost` lists, on whichever node it is kept: how many transactions by each report. */
async function reportedLost(stage: StageUnderTest): Promise<ReadonlyMap<string, number>> {
  const { stdout, stderr } = await stage.cli('lost', '--json');
  if (stdout === '') throw new Error(`understudy lost said nothing but ${stderr}`);
  const json: unknown = JSON.parse(stdout);
  return new Map(lostAnswer.parse(json).flatMap(({ reports }) => reports.map((one) => [one.id, one.transactions])));
}

function isBad({ local, replicated, forked, reported }: Outcome): boolean {
  return replicated.lost + replicated.phantom + local.phantom + forked > 0 || reported < local.lost;
}

interface Turn {
  readonly outcome?: Outcome;
  readonly failure?: Failure;
}

/** On one stage from turn to turn, as in a cluster's life; after a failure on a fresh one. */
async function playAll(scenario: Scenario): Promise<readonly Turn[]> {
  const turns: Turn[] = [];
  while (turns.length < options.times) {
    const before = turns.length;
    const keep = (record: StageRecord, events: readonly string[] = []): void => {
      const name = `${scenario.name} from ${before + 1}`.replaceAll(/\W+/g, '-');
      if (options.logs !== null) keepLogs(record, join(options.logs, name), events);
    };
    try {
      const size = { nodes: 3, appNodes: 1, namespaces: true, diskMb };
      await StageUnderTest.with({ ...size, failed: (record) => keep(record) }, async (stage) => {
        let isSound = true;
        while (isSound && turns.length < options.times) {
          const played = await playTurn(stage, scenario, turns.length + 1);
          turns.push(played);
          isSound = played.failure === undefined;
        }
        keep(stage.record, await lastEvents(stage));
      });
    } catch (error) {
      if (turns.length === before)
        turns.push(told({ failure: { scenario: scenario.name, because: textOf(error), events: [] } }, scenario));
    }
  }
  return turns;
}

async function playTurn(stage: StageUnderTest, scenario: Scenario, turn: number): Promise<Turn> {
  try {
    const outcome = await playOnce(stage, scenario, turn);
    const failure = isBad(outcome) ? { failure: await failureOf(stage, scenario.name, 'see its figures') } : {};
    return told({ outcome, ...failure }, scenario);
  } catch (error) {
    return told({ failure: await failureOf(stage, scenario.name, textOf(error)) }, scenario);
  }
}

function told(turn: Turn, { name }: Scenario): Turn {
  console.error(`${name}: ${JSON.stringify(turn.outcome ?? turn.failure?.because)}`);
  return turn;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function failureOf(stage: StageUnderTest, scenario: string, because: string): Promise<Failure> {
  return { scenario, because, events: await lastEvents(stage) };
}

async function lastEvents(stage: StageUnderTest): Promise<readonly string[]> {
  const { stdout, stderr } = await stage.cli('events');
  return (stdout === '' ? stderr : stdout).trimEnd().split('\n').slice(-shownEvents);
}

/** All that everybody wrote, for whoever looks for the cause. */
function keepLogs(record: StageRecord, directory: string, events: readonly string[]): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'events.txt'), events.join('\n'));
  for (const node of record.nodes) {
    const from = join(nodeDirectory(record, node.name), 'log');
    if (existsSync(from)) cpSync(from, join(directory, node.name), { recursive: true });
  }
}

function row(scenario: string, outcomes: readonly Outcome[], failures: readonly Failure[]) {
  const lane = (name: 'local' | 'replicated') => {
    const all = outcomes.map((outcome) => outcome[name]);
    const sum = (figure: 'acknowledged' | 'failed' | 'unknown' | 'lost') =>
      all.reduce((total, one) => total + one[figure], 0);
    return {
      gapMs: spread(all.map(({ gapMs }) => gapMs)),
      acknowledged: sum('acknowledged'),
      failed: sum('failed'),
      unknown: sum('unknown'),
      lost: sum('lost'),
      because: added(all.map(({ because }) => because)),
    };
  };
  return {
    scenario,
    times: outcomes.length,
    moved: outcomes.filter(({ moved }) => moved).length,
    ...(outcomes.length === 0
      ? {}
      : {
          local: lane('local'),
          replicated: lane('replicated'),
          reported: outcomes.reduce((sum, one) => sum + one.reported, 0),
          reportedTooFew: outcomes.filter((one) => one.reported < one.local.lost).length,
          redundantMs: spread(outcomes.map(({ redundantMs }) => redundantMs)),
          runnable: Math.max(...outcomes.map(({ runnable }) => runnable)),
        }),
    bad: failures.length,
  };
}

if (process.getuid?.() !== 0) {
  console.error('only root may make the namespaces and disks that these faults need');
  process.exit(3);
}
const rows = [];
const failures: Failure[] = [];
for (const scenario of options.chosen) {
  const turns = await playAll(scenario);
  const bad = turns.flatMap(({ failure }) => failure ?? []);
  failures.push(...bad);
  rows.push(
    row(
      scenario.name,
      turns.flatMap(({ outcome }) => outcome ?? []),
      bad,
    ),
  );
  if (options.logs !== null) writeFileSync(join(options.logs, 'faults.json'), JSON.stringify(rows, null, 2));
}
console.log(JSON.stringify({ scenarios: rows, failures, machine: await machineFacts() }, null, 2));
process.exitCode = failures.length === 0 ? 0 : 1;
