/**
 * What a node that has cut itself off for the next term says of itself, and who is elected from what was said.
 *
 * Invariants (PROTOCOLS, "Failover" 3 to 6; model B): a ballot is written only after the cut; its position is the end
 * of valid WAL on disk, and a node whose position is not determined is unheard. A candidate may take the lease when R
 * members of S are heard at or before its position, or when it has all that the last holder's own ballot has.
 * The furthest wins; ties go by priority, then by name. Being ahead without being fit is no reason to lose commits:
 * then the cluster waits.
 */
import { type DurabilityRecord, neededBallots } from './durability.ts';
import { parseLsn } from './lsn.ts';
import type { NodeName } from './spec.ts';
import { type Position, type Timelines, termOfPosition } from './timelines.ts';

export interface Ballot {
  readonly node: NodeName;
  /** The term it is for: one above the lease that it was written under. */
  readonly term: number;
  readonly timeline: number;
  readonly lsn: string;
  readonly bootId: string;
  readonly priority: number;
  /** Why it may not stand, in one line; `null`: it may. Its position counts all the same. */
  readonly unfit: string | null;
}

export interface Electorate {
  readonly term: number;
  readonly lastHolder: NodeName;
  readonly durability: DurabilityRecord | null;
  readonly ballots: readonly Ballot[];
  readonly timelines: Timelines;
  /** Candidates that were elected and did not act in time; their positions count all the same. */
  readonly silent: ReadonlySet<NodeName>;
}

export interface Candidate {
  readonly node: NodeName;
  /** Why it can't be elected now; `null`: it can. */
  readonly because: string | null;
}

export interface Election {
  readonly winner: NodeName | null;
  /** Every ballot's fate, furthest first: what `understudy why` lists. */
  readonly candidates: readonly Candidate[];
  /** Members of S that have not been heard. */
  readonly unheard: readonly NodeName[];
  readonly needed: number | null;
}

interface Standing {
  readonly ballot: Ballot;
  readonly term: number;
  readonly position: Position;
}

export function elect(electorate: Electorate): Election {
  const { durability, ballots, lastHolder, silent } = electorate;
  const heard = ballots.flatMap((ballot) => standing(electorate, ballot)).sort(furthestFirst);
  const members = durability?.standbys ?? [];
  const needed = durability === null ? null : neededBallots(durability);
  const unheard = members.filter((node) => !heard.some(({ ballot }) => ballot.node === node));
  const candidates = heard.map((candidate): Candidate => {
    const { node, unfit } = candidate.ballot;
    if (unfit !== null) return { node, because: unfit };
    if (silent.has(node)) return { node, because: 'was elected and did not take the lease in time' };
    const last = heard.find(({ ballot }) => ballot.node === lastHolder);
    if (last !== undefined && reaches(candidate, last)) return { node, because: null };
    const behind = heard.filter((other) => members.includes(other.ballot.node) && reaches(candidate, other)).length;
    if (needed === null) return { node, because: `only ${lastHolder} itself knows what was acknowledged` };
    if (behind >= needed) return { node, because: null };
    return { node, because: `has all of ${behind} of ${members.length} synchronous standbys; ${needed} are needed` };
  });
  const winner = candidates.find(({ because }) => because === null)?.node ?? null;
  return { winner, candidates, unheard, needed };
}

function standing({ term, timelines }: Electorate, ballot: Ballot): readonly Standing[] {
  const lsn = parseLsn(ballot.lsn);
  if (ballot.term !== term || lsn === undefined) return [];
  const position = { timeline: ballot.timeline, lsn };
  const positionTerm = termOfPosition(timelines, position);
  return positionTerm === null ? [] : [{ ballot, term: positionTerm, position }];
}

/** Has the candidate everything that the other has? */
function reaches(candidate: Standing, other: Standing): boolean {
  return comparePositions(candidate, other) >= 0;
}

function comparePositions(a: Standing, b: Standing): number {
  if (a.term !== b.term) return a.term - b.term;
  if (a.position.lsn === b.position.lsn) return 0;
  return a.position.lsn > b.position.lsn ? 1 : -1;
}

function furthestFirst(a: Standing, b: Standing): number {
  const ahead = comparePositions(b, a);
  if (ahead !== 0) return ahead;
  if (a.ballot.priority !== b.ballot.priority) return b.ballot.priority - a.ballot.priority;
  return a.ballot.node < b.ballot.node ? -1 : 1;
}
