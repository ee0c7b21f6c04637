/**
 * From where an instance of the past has its data: from a delayed standby on the same machine, or from the repository. Pure.
 *
 * A delayed standby has received what it replays later: a copy of it, replayed on, is any moment in between, with no network and no backups.
 * Invariant: it is never asked for a moment that it is known to have replayed past, or not to have received. What nobody knows is tried
 * where the repository can't serve, and recovery itself says no.
 */
import { parseLsn } from '../lsn.ts';
import { parseMoment } from './moments.ts';
import type { Target } from './target.ts';

export interface StandbyReach {
  readonly node: string;
  /** It shows everything up to there. */
  readonly replayed: { readonly lsn: string; readonly lastCommitAt: string | null };
  /** It has the WAL up to there. `null`: not known. */
  readonly received: { readonly lsn: string | null; readonly lastCommitAt: string | null };
  /** Where WAL begins that it keeps. */
  readonly redoLsn: string;
  /** How long a copy may take: by so much it replays on meanwhile. */
  readonly copyMs: number;
}

/** An instance that is to be replayed on. */
export interface Onward {
  readonly from: 'standby' | 'repository';
  readonly reachedLsn: string | null;
}

export interface PastSourceFacts {
  readonly target: Target;
  readonly standby: StandbyReach;
  readonly hasRepository: boolean;
  /** It was asked for by name. */
  readonly standbyAlone: boolean;
  /** `null`: a new one is opened. */
  readonly onward: Onward | null;
}

export type PastSource =
  | { readonly from: 'standby'; readonly because: string }
  /** `instead`: why the standby is tried where the repository can't serve it; `null`: it can't either. */
  | {
      readonly from: 'repository';
      readonly instead: string | null;
      /** What the standby has. */
      readonly besides: string;
      readonly servesToMs: number | null;
    }
  /** `archivedToMs`: the newest moment that it can serve, where the one that was asked for is later. */
  | { readonly refused: string; readonly isLater: boolean; readonly archivedToMs: number | null };

/** `tight`: replayed past it before the copy is made, perhaps; `unknown`: nobody can tell from outside. */
type Standing = 'has' | 'tight' | 'unknown' | 'replayed-past' | 'not-received';

export function decidePastSource(facts: PastSourceFacts): PastSource {
  const { hasRepository, onward, standby, standbyAlone, target } = facts;
  const besides = reachText(standby);
  const stand = standingOf(target, standby);
  const fromRepository = (instead: string | null): PastSource => ({
    ...{ from: 'repository', instead, besides, servesToMs: servesToMs(standby) },
  });
  if (goesOn(facts, stand)) return { from: 'standby', because: `${besides}; it is replayed on` };
  const isPossible = stand !== 'replayed-past' && stand !== 'not-received';
  const isPreferred = stand === 'has' && onward?.from !== 'repository';
  if (!standbyAlone && hasRepository && !isPreferred) {
    return fromRepository(isPossible ? `${besides}; the repository can't serve it` : null);
  }
  if (isPossible) return { from: 'standby', because: besides };
  const isLater = stand === 'not-received';
  return {
    refused: isLater ? `${standby.node} has not received that moment yet` : `${standby.node} has replayed past it`,
    ...{ isLater, archivedToMs: isLater ? servesToMs(standby) : null },
  };
}

/** The newest moment: a later transaction must have ended, so that replay finds where to stop. */
export function servesToMs({ received }: StandbyReach): number | null {
  const ms = momentOf(received.lastCommitAt);
  return ms === null ? null : ms - 1;
}

/** The oldest one: no commit that it shows is later. */
export function servesFromMs({ copyMs, replayed }: StandbyReach): number | null {
  const ms = momentOf(replayed.lastCommitAt);
  return ms === null ? null : ms + 1 + copyMs;
}

export function reachText({ node, received, replayed }: StandbyReach): string {
  const from = replayed.lastCommitAt ?? replayed.lsn;
  const to = received.lastCommitAt ?? received.lsn ?? 'nobody knows where';
  return `${node}, a delayed standby, has replayed up to ${from} and received up to ${to}`;
}

/** What it replayed it keeps for a while. */
function goesOn({ onward, standby }: PastSourceFacts, stand: Standing): boolean {
  if (onward?.from !== 'standby' || onward.reachedLsn === null || stand === 'not-received') return false;
  const [at, kept] = [parseLsn(onward.reachedLsn), parseLsn(standby.redoLsn)];
  return at !== undefined && kept !== undefined && at >= kept;
}

function standingOf(target: Target, standby: StandbyReach): Standing {
  switch (target.type) {
    case 'time':
      return standingOfTime(target.atMs, standby);
    case 'lsn':
      return standingOfLsn(target.value, standby);
    case 'xid':
    case 'name':
      return 'unknown';
    case 'latest':
      return 'not-received';
    default:
      return target satisfies never;
  }
}

function standingOfTime(atMs: number, standby: StandbyReach): Standing {
  const [replayedMs, toMs, safeMs] = [
    momentOf(standby.replayed.lastCommitAt),
    servesToMs(standby),
    servesFromMs(standby),
  ];
  if (toMs !== null && atMs > toMs) return 'not-received';
  if (replayedMs === null || safeMs === null) return 'unknown';
  // Commits have parts of a millisecond, which are cut.
  if (atMs <= replayedMs) return 'replayed-past';
  if (atMs < safeMs) return 'tight';
  return toMs === null ? 'unknown' : 'has';
}

function standingOfLsn(value: string, { received, replayed }: StandbyReach): Standing {
  const [wanted, from] = [parseLsn(value), parseLsn(replayed.lsn)];
  const to = received.lsn === null ? undefined : parseLsn(received.lsn);
  if (wanted === undefined || from === undefined) return 'unknown';
  if (wanted <= from) return 'replayed-past';
  if (to === undefined) return 'unknown';
  // The record that begins there, or after it, must be there, too.
  return wanted < to ? 'has' : 'not-received';
}

function momentOf(at: string | null): number | null {
  return at === null ? null : (parseMoment(at) ?? null);
}
