/**
 * Compares every other node with the primary. A node that lags may lack something; none may hold what the primary has
 * not, which is how a returned old primary shows that nobody rewound it.
 */
import type { Workload } from './attempt.ts';
import type { Finding } from './finding.ts';
import { isBeginning } from './lists.ts';
import { idsOf, type ReadNode } from './node-state.ts';

const shownIds = 5;

export function checkDivergence(
  workloads: readonly Workload[],
  primary: ReadNode,
  others: readonly ReadNode[],
): readonly Finding[] {
  return workloads.flatMap((workload) => {
    const there = countsOf(idsOf(workload, primary.contents));
    return others.flatMap((other) => compare(workload, there, primary, other));
  });
}

function compare(
  workload: Workload,
  there: ReadonlyMap<number, number>,
  primary: ReadNode,
  other: ReadNode,
): readonly Finding[] {
  const here = countsOf(idsOf(workload, other.contents));
  const foreign = [...surplus(here, there), ...(workload === 'append' ? reordered(primary, other) : [])];
  const absent = other.caughtUp ? surplus(there, here) : [];
  const alike = foreign.length === 0 && absent.length === 0;
  if (alike && !(workload === 'bank' && other.caughtUp && differentBalances(primary, other))) return [];
  const ids = [...new Set([...foreign, ...absent])].slice(0, shownIds);
  return [{ kind: 'diverged', workload, node: other.node, foreign: foreign.length, absent: absent.length, ids }];
}

function countsOf(ids: readonly number[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

/** What is in the one more often than in the other. */
function surplus(one: ReadonlyMap<number, number>, other: ReadonlyMap<number, number>): readonly number[] {
  return [...one].flatMap(([id, count]) => (count > (other.get(id) ?? 0) ? [id] : []));
}

/** The last item of each list that has the primary's items in another order. */
function reordered(primary: ReadNode, other: ReadNode): readonly number[] {
  return [...other.contents.lists].flatMap(([key, items]) => {
    const theirs = primary.contents.lists.get(key) ?? [];
    const known = new Set(theirs);
    const last = items.at(-1);
    const differs = items.every((id) => known.has(id)) && !isBeginning(items, theirs);
    return differs && last !== undefined ? [last] : [];
  });
}

function differentBalances(primary: ReadNode, other: ReadNode): boolean {
  const theirs = primary.contents.bank?.balances ?? [];
  const own = other.contents.bank?.balances ?? [];
  return theirs.length !== own.length || theirs.some((balance, account) => own[account] !== balance);
}
