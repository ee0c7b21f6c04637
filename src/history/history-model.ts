/**
 * A deliberately simple cluster for tests of the checkers: one log of transactions, taken in turn, whose end a failover
 * may cut off. What it plays is correct by construction; anomalies are planted afterwards.
 *
 * Each step is one attempt. Its reads happen at its own moment in the log; it began some time before and its answer came
 * some time after, so that attempts overlap as they do in a real load.
 */
import type { Append, Attempt, CommitLevel, Ending, History, Insert, Transfer, Workload } from './attempt.ts';
import { isReplicated, workloads } from './attempt.ts';
import type { Contents, ReadNode } from './node-state.ts';

export interface Step {
  readonly workload: Workload;
  readonly commit: CommitLevel;
  readonly outcome: 'ok' | 'failed' | 'unknown';
  /** Of an unknown one: was it committed? */
  readonly lands: boolean;
  readonly writer: number;
  readonly key: number;
  readonly otherKey: number;
  readonly from: number;
  readonly to: number;
  readonly amount: number;
  readonly beganBeforeMs: number;
  readonly endedAfterMs: number;
}

export interface Script {
  readonly steps: readonly Step[];
  /** Before this step a failover happens, which loses what it may; `null`: none. */
  readonly failoverAt: number | null;
  /** How many transactions a standby that has not caught up lacks at rest. */
  readonly lag: number;
}

export interface Played {
  readonly history: History;
  readonly states: readonly [ReadNode, ReadNode, ReadNode];
  /** Acknowledged as local commits, and gone with the failover. */
  readonly lostLocally: readonly Attempt[];
}

export const bank = { accounts: 4, opening: 100 } as const;
const stepMs = 10;

export function play(script: Script): Played {
  let log: readonly Attempt[] = [];
  let lost: readonly Attempt[] = [];
  const attempts: Attempt[] = [];
  for (const [index, step] of script.steps.entries()) {
    if (index === script.failoverAt) {
      const kept = 1 + log.findLastIndex((entry) => entry.outcome === 'ok' && isReplicated(entry.commit));
      lost = log.slice(kept).filter((entry) => entry.outcome === 'ok');
      log = log.slice(0, kept);
    }
    const attempt = attemptOf(step, index, contentsOf(log));
    attempts.push(attempt);
    if (step.outcome === 'ok' || (step.outcome === 'unknown' && step.lands)) log = [...log, attempt];
  }
  const primary: ReadNode = node('db1', contentsOf(log), { writable: true });
  const second = node('db2', contentsOf(log), {});
  const lagging = node('db3', contentsOf(log.slice(0, log.length - script.lag)), { caughtUp: script.lag === 0 });
  return { history: historyOf(script, attempts), states: [primary, second, lagging], lostLocally: lost };
}

function historyOf(script: Script, attempts: readonly Attempt[]): History {
  return {
    sources: [
      { application: 'shop', node: 'app1' },
      { application: 'shop', node: 'app2' },
    ],
    workloads,
    writers: 4,
    commit: 'on',
    startedAtEpochMs: 0,
    durationMs: (script.steps.length + 1) * stepMs,
    bank,
    attempts,
  };
}

function attemptOf(step: Step, index: number, contents: Contents): Attempt {
  const atMs = (index + 1) * stepMs;
  const { commit, workload, writer } = step;
  const ending: Ending =
    step.outcome === 'ok' ? { outcome: 'ok' } : { outcome: step.outcome, because: 'by the script' };
  const common = {
    id: index,
    writer,
    source: writer % 2,
    commit,
    beganMs: atMs - step.beganBeforeMs,
    endedMs: atMs + step.endedAfterMs,
    ...ending,
  };
  switch (workload) {
    case 'inserts':
      return { ...common, workload } satisfies Insert;
    case 'append': {
      const own = { key: step.key, items: [...(contents.lists.get(step.key) ?? []), index] };
      const otherItems = step.otherKey === step.key ? own.items : (contents.lists.get(step.otherKey) ?? []);
      const reads = [own, { key: step.otherKey, items: otherItems }];
      return { ...common, workload, key: step.key, reads } satisfies Append;
    }
    case 'bank': {
      const { amount, from, to } = step;
      return { ...common, workload, from, to, amount, balances: contents.bank?.balances ?? null } satisfies Transfer;
    }
  }
}

/** What a node holds that has replayed this log. */
export function contentsOf(log: readonly Attempt[]): Contents {
  const inserts: number[] = [];
  const lists = new Map<number, readonly number[]>();
  const balances: number[] = Array.from({ length: bank.accounts }, () => bank.opening);
  const transfers: number[] = [];
  for (const entry of log) {
    switch (entry.workload) {
      case 'inserts':
        inserts.push(entry.id);
        break;
      case 'append':
        lists.set(entry.key, [...(lists.get(entry.key) ?? []), entry.id]);
        break;
      case 'bank':
        balances[entry.from] = (balances[entry.from] ?? 0) - entry.amount;
        balances[entry.to] = (balances[entry.to] ?? 0) + entry.amount;
        transfers.push(entry.id);
        break;
    }
  }
  return { inserts, lists, bank: { balances, transfers } };
}

function node(name: string, contents: Contents, is: { writable?: boolean; caughtUp?: boolean }): ReadNode {
  return { node: name, read: 'yes', writable: is.writable ?? false, caughtUp: is.caughtUp ?? true, contents };
}

/** The same contents on every node after a change. */
export function everywhere(played: Played, change: (contents: Contents) => Contents): Played {
  const [first, second, third] = played.states;
  const changed = (state: ReadNode): ReadNode => ({ ...state, contents: change(state.contents) });
  return { ...played, states: [changed(first), changed(second), changed(third)] };
}

/** As if that transaction had never been committed. */
export function without(contents: Contents, attempt: Attempt): Contents {
  const { id } = attempt;
  const others = (ids: readonly number[]): readonly number[] => ids.filter((each) => each !== id);
  const isThere = contents.bank?.transfers.includes(id) === true;
  return {
    inserts: others(contents.inserts),
    lists: new Map([...contents.lists].map(([key, items]) => [key, others(items)])),
    bank: isThere && attempt.workload === 'bank' ? moved(contents.bank, attempt, -1) : contents.bank,
  };
}

/** As if that transaction had been committed last. */
export function including(contents: Contents, attempt: Attempt): Contents {
  switch (attempt.workload) {
    case 'inserts':
      return { ...contents, inserts: [...contents.inserts, attempt.id] };
    case 'append': {
      const items = [...(contents.lists.get(attempt.key) ?? []), attempt.id];
      return { ...contents, lists: new Map([...contents.lists, [attempt.key, items]]) };
    }
    case 'bank':
      return { ...contents, bank: contents.bank === null ? null : moved(contents.bank, attempt, 1) };
  }
}

function moved(held: NonNullable<Contents['bank']>, transfer: Transfer, times: 1 | -1): NonNullable<Contents['bank']> {
  const balances = [...held.balances];
  balances[transfer.from] = (balances[transfer.from] ?? 0) - times * transfer.amount;
  balances[transfer.to] = (balances[transfer.to] ?? 0) + times * transfer.amount;
  const rest = held.transfers.filter((id) => id !== transfer.id);
  return { balances, transfers: times === 1 ? [...held.transfers, transfer.id] : rest };
}
