/**
 * Timelines belong to terms. PostgreSQL numbers them by what it finds on its own disk, so that two standbys promoted
 * apart both take the same number; the store maps each term to the timeline that its holder wrote on.
 *
 * Positions compare as (term of the timeline, LSN): the LSN alone says nothing across timelines (model B,
 * `BUG_POS_LSN_ONLY`). A position's term is that of its last record: whoever has not passed the fork is still on the
 * parent, whatever timeline it means to follow.
 */
import { type Lsn, parseLsn } from './lsn.ts';

export interface TimelineRecord {
  readonly term: number;
  readonly timeline: number;
  /** `null`: the cluster's first. */
  readonly parent: number | null;
  /** Where it left its parent. */
  readonly forkLsn: string;
  /** Its holder could not be elected without it (accepted-loss.ts): what it was known to lack then, in bytes, and by whose leave. */
  readonly acceptedLoss?: { readonly by: string; readonly lacksBytes: number } | undefined;
}

export type Timelines = ReadonlyMap<number, TimelineRecord>;

export interface Position {
  /** Of the last record on disk. */
  readonly timeline: number;
  readonly lsn: Lsn;
}

/** The first term that wrote on a timeline; a holder may take further terms without leaving it. */
function recordOf(timelines: Timelines, timeline: number): TimelineRecord | null {
  let first: TimelineRecord | null = null;
  for (const record of timelines.values()) {
    if (record.timeline === timeline && (first === null || record.term < first.term)) first = record;
  }
  return first;
}

/** `null`: the store knows no term for this timeline, so the position can't be compared with others. */
export function termOfPosition(timelines: Timelines, { timeline, lsn }: Position): number | null {
  let record = recordOf(timelines, timeline);
  // Each step leads to an earlier term; the bound only guards against a record that names itself.
  for (let steps = timelines.size; record !== null && record.parent !== null && steps > 0; steps -= 1) {
    const fork = parseLsn(record.forkLsn);
    if (fork === undefined) return null;
    if (lsn > fork) return record.term;
    const parent = recordOf(timelines, record.parent);
    if (parent === null || parent.term >= record.term) return null;
    record = parent;
  }
  return record?.term ?? null;
}

/** A timeline that no node can have used: every known one is below it. */
export function unusedTimeline(timelines: Timelines, local: number): number {
  return Math.max(local, ...[...timelines.values()].map(({ timeline }) => timeline)) + 1;
}
