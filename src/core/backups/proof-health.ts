/**
 * Whether it is known of late that backups can be restored: part of the cluster's health.
 *
 * Invariant: that nothing is known is never taken for well. A schedule that never comes round asks for nothing. Where no standby can do
 * it by schedule it is a person's to order, and no trouble of the cluster's.
 */
import { ageText } from '../amounts.ts';
import type { BackupsSpec } from '../backups-spec.ts';
import type { RepositoryBackup } from '../repository.ts';
import type { NodeName } from '../spec.ts';
import type { NextAfter } from './calendar.ts';
import { parseMoment } from './moments.ts';
import type { Proven } from './proof.ts';

export interface ProofHealthFacts {
  readonly backups: Pick<BackupsSpec, 'proof' | 'timeZone'>;
  /** The last success; `null`: there was none. */
  readonly proven: Proven | null;
  /** From when on there is something to prove; `null`: there is nothing. */
  readonly sinceMs: number | null;
  /** The only database node, on which nobody but a person orders one; `null`: there are others. */
  readonly onlyNode: NodeName | null;
  readonly nowMs: number;
  readonly nextAfter: NextAfter;
}

/** The first has so long after it came round. */
const firstGraceMs = 24 * 3_600_000;

/** The end of the first backup that is there; `null`: there is none. */
export function provableSince(backups: readonly Pick<RepositoryBackup, 'finishedAt'>[]): number | null {
  const ends = backups.flatMap(({ finishedAt }) => parseMoment(finishedAt) ?? []);
  return ends.length === 0 ? null : Math.min(...ends);
}

export interface Unproven {
  readonly text: string;
  /** Nothing is wrong: it waits for a person. */
  readonly isTodo: boolean;
}

/** `null`: all is well, or nothing is asked for. */
export function unproven(facts: ProofHealthFacts): Unproven | null {
  const since = whatIsOld(facts);
  if (since === null) return null;
  const { onlyNode } = facts;
  const verb = `understudy backup prove${onlyNode === null ? '' : ` --on ${onlyNode}`}`;
  return { text: `${since}: ${verb}`, isTodo: onlyNode !== null };
}

function whatIsOld({ backups, nextAfter, nowMs, proven, sinceMs }: ProofHealthFacts): string | null {
  const { proof, timeZone } = backups;
  if (proof === null || sinceMs === null) return null;
  const provenMs = proven === null ? undefined : parseMoment(proven.at);
  const first = nextAfter(proof, timeZone, provenMs ?? sinceMs);
  if (first === null) return null;
  if (provenMs === undefined) {
    const late = nowMs - first - firstGraceMs;
    return late < 0 ? null : `no restore has been proven yet, and one was due ${ageText(nowMs - first)} ago`;
  }
  const second = nextAfter(proof, timeZone, first);
  if (second === null) return null;
  // Twice the period, and never before it came round twice.
  const oldAtMs = Math.max(second, provenMs + 2 * (second - first));
  return nowMs <= oldAtMs ? null : `no restore has been proven for ${ageText(nowMs - provenMs)}`;
}
