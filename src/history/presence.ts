/**
 * Holds what was tried against what is there: the account of one workload's ids on one node.
 *
 * Rests on nothing but outcomes: `ok` must be there, `failed` must not, `unknown` may be either, and nothing may be there
 * twice or without having been tried.
 */
import type { Attempt, Workload } from './attempt.ts';
import type { Finding } from './finding.ts';

export interface Presence {
  readonly findings: readonly Finding[];
  /** Of the attempts with an unknown outcome. */
  readonly unknownThere: number;
}

/** `ids`: what is there, each as often as it is there. */
export function checkPresence(workload: Workload, attempts: readonly Attempt[], ids: readonly number[]): Presence {
  const times = new Map<number, number>();
  for (const id of ids) times.set(id, (times.get(id) ?? 0) + 1);
  const findings: Finding[] = [];
  const tried = new Set<number>();
  let unknownThere = 0;
  for (const attempt of attempts) {
    const { commit, id, writer } = attempt;
    tried.add(id);
    const isThere = times.has(id);
    if (attempt.outcome === 'ok') {
      if (!isThere) findings.push({ kind: 'lost', workload, commit, id, writer, atMs: attempt.endedMs });
    } else if (attempt.outcome === 'failed') {
      const { because } = attempt;
      if (isThere) findings.push({ kind: 'phantom', workload, id, writer, because, atMs: attempt.endedMs });
    } else if (isThere) unknownThere += 1;
  }
  for (const [id, count] of times) {
    if (count > 1) findings.push({ kind: 'duplicate', workload, id, times: count });
    if (!tried.has(id)) findings.push({ kind: 'invented', workload, id });
  }
  return { findings, unknownThere };
}
