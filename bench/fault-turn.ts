/**
 * One scenario played once under load, and what it cost the writers.
 *
 * Invariant: nothing is counted before everybody streams to everybody again and the writers have ended; what is found
 * then is held against what they were told.
 */
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from './fault-scenarios.ts';
import { databases, forkedRows, reportedLost, untilWhole } from './fault-witness.ts';
import { rounded } from './figures.ts';
import { createLoadTable, type LoadAccount, longestGap, monotonicMs, type Verification, verifyLoad } from './load.ts';
import { startLoadThread, type ThreadLoad } from './load-thread.ts';
import type { StageUnderTest } from './stage-under-test.ts';

const writers = 4;
const calmMs = 3_000;
const endWithinMs = 60_000;

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

export interface Outcome {
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

/** `turn` counts from 1 on one stage. Throws when redundancy does not come back in time. */
export async function playOnce(
  stage: StageUnderTest,
  scenario: Scenario,
  turn: number,
  thinkMs: number,
): Promise<Outcome> {
  const connect = stage.application();
  const table = `load_${turn}`;
  await untilWhole(stage);
  const reportedBefore = await reportedLost(stage);
  await createLoadTable(connect, table);
  const shared = { connect, writers, table, thinkMs };
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

/** Did something happen that may not? */
export function isBad({ local, replicated, forked, reported }: Outcome): boolean {
  return replicated.lost + replicated.phantom + local.phantom + forked > 0 || reported < local.lost;
}
