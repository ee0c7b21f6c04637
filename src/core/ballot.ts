/**
 * What a node that has cut itself off for the next term says of itself, and who is elected from what was said.
 *
 * Invariants (PROTOCOLS, "Failover" 3 to 6; model B): a ballot is written only after the cut; its position is the end
 * of valid WAL on disk, and a node whose position is not determined is unheard. A candidate may take the lease when R
 * members of S are heard at or before its position, or when it has all that the last holder's own ballot has, and when
 * it is not known to lack more than the declared limit. The furthest wins; ties go by priority, then by name. Being ahead
 * without being fit is no reason to lose commits: then the cluster waits. An accepted loss is the one exception.
 */
import type { AcceptedLoss } from './accepted-loss.ts';
import { type DurabilityRecord, neededBallots } from './durability.ts';
import { bytesBehind, parseLsn } from './lsn.ts';
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
  /** How far the last holder is known to have written; `null`: not known. */
  readonly written: Position | null;
  /** Who is known to lack more than this, in bytes, is not elected; `null`: no limit. */
  readonly lossLimitBytes: number | null;
  /** The boots in which the standbys had received everything last, as the last holder recorded them (rules/boots.ts). */
  readonly boots: Readonly<Record<NodeName, string>>;
  /** Who alone may be elected: another one's promise nobody has asked for (rules/candidates.ts). `null`: whoever is fit. */
  readonly candidates: readonly NodeName[] | null;
  /** Only of this very election (accepted-loss.ts). */
  readonly accepted: AcceptedLoss | null;
}

export interface Candidate {
  readonly node: NodeName;
  /** Why it can't be elected now; `null`: it can. */
  readonly because: string | null;
  /** What it is known to lack, in bytes; of what nobody knows of, nothing can be said. */
  readonly lacksBytes: number;
  /** Without the accepted loss it would not be elected. */
  readonly byAcceptance: boolean;
}

export interface Election {
  readonly winner: NodeName | null;
  /** Every ballot's fate, furthest first: what `understudy why` lists. */
  readonly candidates: readonly Candidate[];
  /** Members of S that have not been heard. */
  readonly unheard: readonly NodeName[];
  readonly needed: number | null;
  /**
   * Members whose system has booted since, when without their word the winner may lack what was acknowledged with
   * `remote_write`: that was written there and not flushed. Empty: it lacks nothing of it.
   */
  readonly rebooted: readonly NodeName[];
}

interface Standing {
  readonly ballot: Ballot;
  readonly term: number;
  readonly position: Position;
}

export function elect(electorate: Electorate): Election {
  const { durability, ballots } = electorate;
  const heard = ballots.flatMap((ballot) => standing(electorate, ballot)).sort(furthestFirst);
  const members = durability?.standbys ?? [];
  const needed = durability === null ? null : neededBallots(durability);
  const unheard = members.filter((node) => !heard.some(({ ballot }) => ballot.node === node));
  const candidates = heard.map((candidate) => judge(electorate, heard, candidate));
  const winner = candidates.find(({ because }) => because === null)?.node ?? null;
  return { winner, candidates, unheard, needed, rebooted: unsureOfRemoteWrite(electorate, heard, winner) };
}

function judge(electorate: Electorate, heard: readonly Standing[], candidate: Standing): Candidate {
  const { node, unfit } = candidate.ballot;
  const lacksBytes = lackedBytes(electorate, heard, candidate);
  const refused = (because: string): Candidate => ({ node, because, lacksBytes, byAcceptance: false });
  if (unfit !== null) return refused(unfit);
  if (!isNamed(electorate, node)) return refused(`${electorate.lastHolder} did not name it when it renewed last`);
  if (electorate.silent.has(node)) return refused('was elected and did not take the lease in time');
  const tooFar = beyondLimit(electorate, lacksBytes);
  const missing = notEnoughHeard(electorate, heard, candidate);
  if (tooFar === null && missing === null) return { node, because: null, lacksBytes, byAcceptance: false };
  const objection = tooFar ?? missing ?? '';
  const { accepted } = electorate;
  if (accepted === null) return refused(objection);
  if (accepted.to !== null && accepted.to !== node)
    return refused(`${objection}; a loss was accepted for ${accepted.to}`);
  // What only unheard nodes may have is given up, but nothing that somebody who is heard has.
  const overtaken = heard.some((other) => !reaches(candidate, other));
  if (accepted.covers === 'unheard' && (tooFar !== null || overtaken)) return refused(objection);
  return { node, because: null, lacksBytes, byAcceptance: true };
}

/** No accepted loss makes up for it: the last holder may be writable, and has asked only those for their promise. */
function isNamed({ candidates, lastHolder }: Electorate, node: NodeName): boolean {
  return candidates === null || node === lastHolder || candidates.includes(node);
}

/** `null`: every commit that was acknowledged as replicated is among what the candidate has. */
function notEnoughHeard(
  { durability, lastHolder }: Electorate,
  heard: readonly Standing[],
  candidate: Standing,
): string | null {
  const last = heard.find(({ ballot }) => ballot.node === lastHolder);
  if (last !== undefined && reaches(candidate, last)) return null;
  const needed = durability === null ? null : neededBallots(durability);
  if (durability === null || needed === null) return `only ${lastHolder} itself knows what was acknowledged`;
  const { standbys } = durability;
  const behind = heard.filter((other) => standbys.includes(other.ballot.node) && reaches(candidate, other)).length;
  if (behind >= needed) return null;
  return `has all of ${behind} of ${standbys.length} synchronous standbys; ${needed} are needed`;
}

/** What a system wrote and had not flushed went with it: for `remote_write` its ballot of a later boot counts as unheard. */
function unsureOfRemoteWrite(
  electorate: Electorate,
  heard: readonly Standing[],
  winner: NodeName | null,
): readonly NodeName[] {
  const { boots, durability, lastHolder } = electorate;
  const elected = heard.find(({ ballot }) => ballot.node === winner);
  if (elected === undefined) return [];
  const hasRebooted = ({ ballot }: Standing): boolean => {
    const recorded = boots[ballot.node];
    // The primary flushes before anybody acknowledges: of its own commits it has lost nothing.
    return ballot.node !== lastHolder && recorded !== undefined && recorded !== ballot.bootId;
  };
  const sure = heard.filter((standing) => !hasRebooted(standing));
  if (notEnoughHeard(electorate, sure, elected) === null) return [];
  const members = durability?.standbys ?? [];
  return heard.filter((one) => hasRebooted(one) && members.includes(one.ballot.node)).map(({ ballot }) => ballot.node);
}

function beyondLimit({ lossLimitBytes, lastHolder }: Electorate, lacksBytes: number): string | null {
  if (lossLimitBytes === null || lacksBytes <= lossLimitBytes) return null;
  return `lacks at least ${lacksBytes} bytes of what ${lastHolder} wrote; the declared limit is ${lossLimitBytes}`;
}

/** Of what the last holder said it had written, and of what others have that were heard. */
function lackedBytes(electorate: Electorate, heard: readonly Standing[], candidate: Standing): number {
  const { written, timelines } = electorate;
  const known = heard.map(({ term, position }) => ({ term, position }));
  const term = written === null ? null : termOfPosition(timelines, written);
  if (written !== null && term !== null) known.push({ term, position: written });
  return Math.max(0, ...known.map((other) => aheadBytes(timelines, other, candidate)));
}

type Known = Pick<Standing, 'term' | 'position'>;

/** A candidate of an earlier term may have gone on past the point where the other's timeline left it. */
function aheadBytes(timelines: Timelines, other: Known, candidate: Known): number {
  if (other.term < candidate.term) return 0;
  if (other.term === candidate.term) return bytesBehind(other.position.lsn, candidate.position.lsn);
  const fork = parseLsn(timelines.get(other.term)?.forkLsn ?? '');
  const common = fork !== undefined && fork < candidate.position.lsn ? fork : candidate.position.lsn;
  return bytesBehind(other.position.lsn, common);
}

function standing({ term, timelines }: Electorate, ballot: Ballot): readonly Standing[] {
  const lsn = parseLsn(ballot.lsn);
  if (ballot.term !== term || lsn === undefined) return [];
  const position = { timeline: ballot.timeline, lsn };
  const positionTerm = termOfPosition(timelines, position);
  return positionTerm === null ? [] : [{ ballot, term: positionTerm, position }];
}

/** Has the candidate everything that the other has? */
function reaches(candidate: Known, other: Known): boolean {
  return comparePositions(candidate, other) >= 0;
}

function comparePositions(a: Known, b: Known): number {
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
