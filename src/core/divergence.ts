/**
 * Where a node's WAL parts from that of the holder of the lease, and how it comes back from there. Pure.
 *
 * Invariant: what is called parted is judged by the store's record of timelines alone, which names each timeline once;
 * numbers on a node's own disk are never compared with those of another disk. Where that record has a gap the answer is
 * `unknown`, and then nobody rewinds.
 * Does not say whether a node has WAL past the parting: only its disk tells.
 */
import { type Lsn, parseLsn } from './lsn.ts';
import { recordOf, type Timelines } from './timelines.ts';

/** A piece of one timeline's WAL that the holder's history has not got. */
export interface Stretch {
  readonly timeline: number;
  readonly from: Lsn;
  /** `null`: to the end of what is on disk. */
  readonly to: Lsn | null;
}

export type Parting =
  /** The holder writes on this very timeline. */
  | { readonly is: 'none' }
  | { readonly is: 'unknown'; readonly because: string }
  /** Oldest first, at least one. */
  | { readonly is: 'forked'; readonly at: Stretch; readonly stretches: readonly Stretch[] };

interface Begun {
  readonly timeline: number;
  readonly from: Lsn;
}

/** From the cluster's first timeline to this one; `null`: some of it is not known. */
function lineage(timelines: Timelines, timeline: number): readonly Begun[] | null {
  const found: Begun[] = [];
  let next: number | null = timeline;
  // Each step leads to an earlier term; the bound only guards against a record that names itself.
  for (let steps = timelines.size; next !== null; steps -= 1) {
    const record = recordOf(timelines, next);
    const from = record === null ? undefined : parseLsn(record.forkLsn);
    if (record === null || from === undefined || steps <= 0) return null;
    found.unshift({ timeline: next, from });
    next = record.parent;
  }
  return found;
}

/** `local`: the node's timeline; `holders`: that of the term of the lease. */
export function partingOf(timelines: Timelines, local: number, holders: number): Parting {
  const own = lineage(timelines, local);
  const others = lineage(timelines, holders);
  if (own === null) return { is: 'unknown', because: `the store does not know how timeline ${local} came about` };
  if (others === null) return { is: 'unknown', because: `the store does not know how timeline ${holders} came about` };
  let common = -1;
  while (own[common + 1] !== undefined && own[common + 1]?.timeline === others[common + 1]?.timeline) common += 1;
  const shared = own[common];
  if (shared === undefined)
    return { is: 'unknown', because: `timelines ${local} and ${holders} have no beginning in common` };
  const leftBySelf = own[common + 1]?.from ?? null;
  const leftByHolder = others[common + 1]?.from ?? null;
  if (leftBySelf === null && leftByHolder === null) return { is: 'none' };
  const after = own
    .slice(common + 1)
    .map(({ timeline, from }, index, all): Stretch => ({ timeline, from, to: all[index + 1]?.from ?? null }));
  const isLonger = leftByHolder !== null && (leftBySelf === null || leftByHolder < leftBySelf);
  const stretches = isLonger ? [{ timeline: shared.timeline, from: leftByHolder, to: leftBySelf }, ...after] : after;
  const [at] = stretches;
  return at === undefined ? { is: 'none' } : { is: 'forked', at, stretches };
}

/** What was found on the disk of a node that parted. */
export interface Divergence {
  /** There is WAL past the parting. */
  readonly diverged: boolean;
  /** Why that WAL is not kept as a whole beside the data directory; `null`: it is. */
  readonly notKept: string | null;
  /** WAL past the parting, and the tables and indexes of the node. */
  readonly walBytes: number;
  readonly dataBytes: number;
}

export interface WayBack {
  readonly by: 'rewind' | 'clone';
  readonly code: string;
  readonly text: string;
}

/**
 * A rewind touches what the WAL past the parting touched, a clone copies everything. A rewind changes the only whole copy
 * of what diverged, so its WAL must be kept first; a clone sets the whole directory aside.
 */
export function chooseWayBack(found: Divergence, rewindFailed: string | null): WayBack {
  const clone = (code: string, text: string): WayBack => ({ by: 'clone', code, text });
  if (rewindFailed !== null) return clone('rewind-failed', `the rewind failed (${rewindFailed})`);
  if (found.notKept !== null) return clone('wal-not-kept', `not all of its WAL is kept (${found.notKept})`);
  if (found.walBytes >= found.dataBytes) {
    return clone('clone-is-smaller', `more WAL than data has diverged (${found.walBytes} of ${found.dataBytes} bytes)`);
  }
  return { by: 'rewind', code: 'diverged', text: `${found.walBytes} bytes of WAL have diverged` };
}
