/**
 * What writers see when the primary is lost, and what becomes of their commits: each fault several times on one stage,
 * with four writers that commit locally and four that ask for replicated commits.
 *
 * Prints JSON. A gap is the longest time without an acknowledged commit to any writer around one fault; `redundantMs` is
 * the time until the cluster is whole again after the fault was healed. `bench/failover.ts [FAULT] [TIMES]`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { sendSignal } from '../src/process/signal.ts';
import { type StageProcessKind, stageProcesses } from '../src/stage/processes.ts';
import { rounded, spread } from './figures.ts';
import { createLoadTable, type LoadAccount, longestGap, monotonicMs, verifyLoad } from './load.ts';
import { startLoadThread } from './load-thread.ts';
import { machineFacts } from './machine.ts';
import { StageUnderTest } from './stage-under-test.ts';
import { until } from './waiting.ts';

const calmMs = 3_000;
const writers = 4;
const movedWithinMs = 60_000;

type Strike = (stage: StageUnderTest, primary: string) => () => void;

function signal(stage: StageUnderTest, node: string, kinds: readonly StageProcessKind[], name: NodeJS.Signals): void {
  const found = stageProcesses(stage.record).filter((one) => one.node === node && kinds.includes(one.kind));
  for (const process of found) sendSignal(process, name);
}

const faults: Readonly<Record<string, { readonly strike: Strike; readonly moves: boolean }>> = {
  'postmaster killed': {
    moves: false,
    strike: (stage, primary) => {
      signal(stage, primary, ['postmaster'], 'SIGKILL');
      return () => undefined;
    },
  },
  'host gone': {
    moves: true,
    strike: (stage, primary) => {
      signal(stage, primary, ['agent'], 'SIGSTOP');
      signal(stage, primary, ['postmaster', 'backend'], 'SIGKILL');
      return () => signal(stage, primary, ['agent'], 'SIGCONT');
    },
  },
  'agent frozen': {
    moves: true,
    strike: (stage, primary) => {
      signal(stage, primary, ['agent'], 'SIGSTOP');
      return () => signal(stage, primary, ['agent'], 'SIGCONT');
    },
  },
};

interface Struck {
  readonly fault: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly redundantMs: number;
}

async function strikeOnce(stage: StageUnderTest, fault: string): Promise<Struck> {
  const kind = faults[fault];
  if (kind === undefined) throw new Error(`no fault ${fault}; there are ${Object.keys(faults).join(', ')}`);
  await stage.untilHealthy();
  await delay(calmMs);
  const before = await stage.status();
  const fromMs = monotonicMs();
  const heal = kind.strike(stage, before.primary ?? '');
  try {
    if (kind.moves) {
      await until('another node is primary', movedWithinMs, 50, async () => {
        const now = await stage.status().catch(() => null);
        return now?.primary !== null && now?.primary !== undefined && now.primary !== before.primary;
      });
    }
    await delay(calmMs);
  } finally {
    heal();
  }
  const healedMs = monotonicMs();
  await stage.untilHealthy();
  const toMs = monotonicMs();
  console.error(`${fault}: healthy ${Math.round(toMs - healedMs)} ms after it was healed`);
  return { fault, fromMs, toMs, redundantMs: toMs - healedMs };
}

function outcomes(account: LoadAccount, outcome: 'failed' | 'unknown', { fromMs, toMs }: Struck): number {
  return account.failures.filter((one) => one.outcome === outcome && one.atMs >= fromMs && one.atMs <= toMs).length;
}

const [only, times = '5'] = process.argv.slice(2);
const chosen = Object.keys(faults).filter((fault) => only === undefined || fault === only);
if (chosen.length === 0 || !/^[1-9]\d{0,3}$/.test(times)) {
  console.error(`bench/failover.ts [FAULT] [TIMES]; faults are ${Object.keys(faults).join(', ')}`);
  process.exit(2);
}

const report = await StageUnderTest.with({ nodes: 3, appNodes: 1 }, async (stage) => {
  const connect = stage.application();
  await createLoadTable(connect, 'load');
  const local = startLoadThread({ connect, writers, run: 'local', table: 'load' });
  const replicated = startLoadThread({ connect, writers, run: 'replicated', table: 'load', commit: 'on' });
  const struck: Struck[] = [];
  for (const fault of chosen) {
    for (let count = 0; count < Number(times); count += 1) struck.push(await strikeOnce(stage, fault));
  }
  await delay(calmMs);
  const accounts = { local: await local.stop(), replicated: await replicated.stop() };
  const found = {
    local: await verifyLoad(connect, accounts.local),
    replicated: await verifyLoad(connect, accounts.replicated),
  };
  return {
    faults: chosen.map((fault) => {
      const all = struck.filter((one) => one.fault === fault);
      const gaps = (account: LoadAccount) => all.map((one) => longestGap(account, one.fromMs, one.toMs).ms);
      const sum = (account: LoadAccount, outcome: 'failed' | 'unknown') =>
        all.reduce((total, one) => total + outcomes(account, outcome, one), 0);
      return {
        fault,
        times: all.length,
        gapMs: { local: spread(gaps(accounts.local)), replicated: spread(gaps(accounts.replicated)) },
        redundantMs: spread(all.map(({ redundantMs }) => redundantMs)),
        failed: { local: sum(accounts.local, 'failed'), replicated: sum(accounts.replicated, 'failed') },
        unknown: { local: sum(accounts.local, 'unknown'), replicated: sum(accounts.replicated, 'unknown') },
      };
    }),
    acknowledged: { local: found.local.acknowledged, replicated: found.replicated.acknowledged },
    lost: { local: found.local.lost.length, replicated: found.replicated.lost.length },
    phantom: found.local.phantom.length + found.replicated.phantom.length,
    upMs: rounded(stage.upMs),
  };
});
console.log(JSON.stringify({ ...report, machine: await machineFacts() }, null, 2));
