/**
 * A standby whose primary no longer has the WAL that it needs goes on from the archive, until somebody streams to it again.
 *
 * Invariant: it reads from the archive only while nobody streams to it. A server with a `restore_command` asks it at each promotion
 * and each change of timeline, and a failover would wait for the network. Whoever is cut off, follows another or is started
 * reads from no archive (postgres/upstream.ts). Only on the timeline that the holder writes: what the archive has of another one may
 * be of a former primary, past the fork. Where the archive brings it no further, it is cloned.
 */

import type { ClusterView } from '../cluster-view.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import { type ArchiveReading, mayRetry } from '../memory.ts';
import { act, isMoving, type Situation, timelinesOf, type Verdict, wait } from '../situation.ts';
import { findNode, isDelayed, type NodeName } from '../spec.ts';

type Standby = Extract<LocalPostgres, { state: 'standby' }>;

/** Without anything replayed for so long the archive does not have it, or can't be reached. */
const fruitlessMs = 60_000;
/** A stream seems to run for an instant before the primary finds that it has not got the WAL. */
const lastsMs = 5_000;
/** Since then a reload is enough (documentation 20.5.4). */
const reloadableFrom = 14;

export function watchArchive({ nowMs, postgres }: ClusterView, before: ArchiveReading | null): ArchiveReading | null {
  if (postgres.state !== 'standby' || !postgres.readsArchive) return null;
  const streamingSinceMs = postgres.receiver === 'streaming' ? (before?.streamingSinceMs ?? nowMs) : null;
  const hasMoved = before === null || postgres.replayedLsn > before.at;
  return hasMoved ? { at: postgres.replayedLsn, sinceMs: nowMs, streamingSinceMs } : { ...before, streamingSinceMs };
}

/** `null`: the archive has no part in it. The holder is writable, or nothing is begun. */
export function decideArchive(
  situation: Situation,
  postgres: Standby,
  holder: NodeName,
  term: number,
  writable: boolean,
): Verdict | null {
  const { memory, nowMs } = situation;
  if (!writable || postgres.cannotStream === 'diverged') return null;
  const mayAct = mayRetry(memory, 'follow', nowMs);
  if (postgres.cannotStream === null) {
    const since = memory.archiveReading?.streamingSinceMs ?? null;
    if (!postgres.readsArchive || since === null || !mayAct) return null;
    // Who may be promoted in a moment must not ask the archive first.
    if (nowMs - since < lastsMs && !isMoving(situation)) return null;
    const text = `${holder} streams again: reading no more from the archive`;
    return act([{ do: 'follow', from: holder, because: ['streams-again'] }], { code: 'streams-again', text }, 100);
  }
  if (!isOfUse(situation, postgres, holder, term)) return null;
  if (!postgres.readsArchive) {
    const text = `${holder} no longer has the WAL that is needed: reading it from the archive`;
    const because = ['wal-removed'];
    return mayAct
      ? act([{ do: 'follow', from: holder, archive: true, because }], { code: 'reads-archive', text }, 200)
      : null;
  }
  if (nowMs - (memory.archiveReading?.sinceMs ?? nowMs) >= fruitlessMs) return null;
  return wait({ code: 'reads-archive', text: `reading from the archive what ${holder} no longer has` }, 500);
}

/** A delayed one replays later than it could, so that nobody can tell whether the archive has what it needs. */
function isOfUse({ self, spec, view }: Situation, postgres: Standby, holder: NodeName, term: number): boolean {
  if (spec === null || spec.backups === null || spec.postgres.major < reloadableFrom) return false;
  const node = findNode(spec, self);
  if (node?.role !== 'database' || isDelayed(node)) return false;
  return postgres.upstream === holder && timelinesOf(view.store).get(term)?.timeline === postgres.timeline;
}
