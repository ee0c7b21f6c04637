/**
 * A load from its tables to its verdict: writes for a while, waits until the cluster has come to rest, reads every node,
 * judges, and clears up.
 *
 * Invariant: what was begun is judged, also when it was ended early; the tables stay when the verdict is not sound, for
 * whoever wants to look at them. Knows no cluster: it is given URIs and a way to each node.
 */
import { describeError } from '../errors/understudy-error.ts';
import { judge } from '../history/judge.ts';
import type { Verdict } from '../history/verdict.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import type { LoadCounts } from './attempt-log.ts';
import { readNodeStates } from './final-state.ts';
import { type Load, type LoadOptions, startLoad } from './load.ts';
import type { Node } from './node-access.ts';
import { type Rest, untilRest } from './rest.ts';
import { prefixOf } from './tables.ts';

export type LoadProgress =
  | { readonly stage: 'writing'; readonly leftMs: number; readonly counts: LoadCounts }
  /** Begins with nothing missing, since nobody has looked yet. */
  | { readonly stage: 'resting'; readonly missing: readonly string[] };

export interface RunOptions extends LoadOptions {
  /** Every database node of the cluster. */
  readonly nodes: readonly Node[];
  readonly forMs: number;
  /** When it fires, the load ends early, and is judged. */
  readonly ending?: AbortSignal;
  /** When it fires, nodes are read as they are. */
  readonly hurry?: AbortSignal;
  readonly report?: (progress: LoadProgress) => void;
}

export interface LoadReport {
  readonly run: string;
  readonly database: string;
  /** How the names of its tables begin. */
  readonly tables: string;
  readonly commit: LoadOptions['commit'];
  readonly workloads: LoadOptions['workloads'];
  readonly writers: number;
  /** ISO 8601 in UTC. */
  readonly startedAt: string;
  /** From the first attempt to the moment at which the end was asked for. */
  readonly durationMs: number;
  /** Why it ended before its time; `null`: it did not. */
  readonly endedEarly: 'asked' | 'full' | null;
  readonly rest: { readonly reached: boolean; readonly tookMs: number; readonly missing: readonly string[] };
  /** The tables were left, and why. */
  readonly kept: string | null;
  readonly verdict: Verdict;
}

/** How long the cluster may take to come to rest, in ms. */
const restWithinMs = 120_000;
const reportEveryMs = 250;
const never = new AbortController().signal;

/** Throws what `startLoad` throws, and what `signal` was aborted with. */
export async function runLoad(options: RunOptions): Promise<LoadReport> {
  const load = await startLoad(options);
  const endedEarly = await lastFor(options, load);
  return await judgeLoad(load, options, endedEarly);
}

/** Waits its time; answers why it was not waited to the end. */
async function lastFor(options: RunOptions, load: Load): Promise<LoadReport['endedEarly']> {
  const { clock = createLinuxClock(), ending = never, forMs, report, signal = never } = options;
  const until = clock.boottimeMs() + forMs;
  const either = AbortSignal.any([ending, signal]);
  for (;;) {
    const leftMs = until - clock.boottimeMs();
    const counts = load.counts();
    report?.({ stage: 'writing', leftMs: Math.max(0, leftMs), counts });
    if (either.aborted) return 'asked';
    if (counts.isFull) return 'full';
    if (leftMs <= 0) return null;
    // Aborted: the next turn ends it.
    await clock.sleep(Math.min(reportEveryMs, leftMs), either).catch(() => undefined);
  }
}

/** Ends a load that was started by `startLoad`, and judges it. Throws what `signal` was aborted with. */
export async function judgeLoad(
  load: Load,
  options: Pick<RunOptions, 'nodes' | 'hurry' | 'report' | 'signal' | 'clock'>,
  endedEarly: LoadReport['endedEarly'] = null,
): Promise<LoadReport> {
  const { clock = createLinuxClock(), hurry = never, nodes, report, signal = never } = options;
  const history = await load.stop();
  signal.throwIfAborted();
  report?.({ stage: 'resting', missing: [] });
  const { database, run } = load;
  const tables = prefixOf(run);
  const rest = await untilRest({
    nodes,
    database,
    tables,
    withinMs: restWithinMs,
    clock,
    hurry: AbortSignal.any([hurry, signal]),
    report: (missing) => report?.({ stage: 'resting', missing }),
  });
  signal.throwIfAborted();
  const verdict = judge(history, await readNodeStates(nodes, database, run, rest.caughtUp));
  return {
    run,
    database,
    tables,
    commit: history.commit,
    workloads: history.workloads,
    writers: history.writers,
    startedAt: new Date(history.startedAtEpochMs).toISOString(),
    durationMs: Math.round(history.durationMs),
    endedEarly,
    rest: restOf(rest),
    kept: await clearUp(load, verdict),
    verdict,
  };
}

function restOf({ missing, tookMs }: Rest): LoadReport['rest'] {
  return { reached: missing.length === 0, tookMs: Math.round(tookMs), missing };
}

async function clearUp(load: Load, { outcome }: Verdict): Promise<string | null> {
  if (outcome !== 'sound') return `the verdict is ${outcome}`;
  try {
    await load.dropTables();
    return null;
  } catch (error) {
    // Says nothing against what was judged.
    return describeError(error);
  }
}
