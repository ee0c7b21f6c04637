/**
 * What would happen if the primary died this instant: who would take over, how soon, and what would be at risk.
 *
 * The election is held by the very function that would hold it (ballot.ts), over ballots as the nodes would write them by
 * what is known now. What is not known is left out: a node that is not heard casts no ballot.
 * Refuses to promise: a forecast is as old as the view it is made from, and says nothing of what fails meanwhile.
 */
import { type AcceptedLoss, byDeclaration } from './accepted-loss.ts';
import { type Ballot, type Candidate, type Election, elect } from './ballot.ts';
import type { ClusterView, MemberStatus } from './cluster-view.ts';
import { driftMs, type Lease } from './lease.ts';
import { formatLsn, type Lsn, parseLsn } from './lsn.ts';
import type { DatabaseMemory } from './memory.ts';
import type { Reach } from './reach.ts';
import { shutOutText } from './revocation.ts';
import { electable } from './rules/candidates.ts';
import { electionOf, electionWindowMs } from './rules/election.ts';
import { freeInMs } from './rules/lease-watch.ts';
import { assess } from './situation.ts';
import { type NodeName, type NodeSpec, nodesOfRole, type Spec } from './spec.ts';
import { lostStore } from './store-majority.ts';

/** Cutting off, writing a ballot and promoting, in ms, beside what the lease takes. */
const electionMs = 1_000;

/** One database node that is not primary, in the election that is or would be held. */
export interface Prospect {
  readonly node: NodeName;
  /** `first`: it takes over; `able`: another one goes before it; `refused`: it may not; `unheard`: it casts no ballot. */
  readonly standing: 'first' | 'able' | 'refused' | 'unheard';
  /** The reason, in one line. */
  readonly text: string;
  /** What it is known to lack, in bytes; `null`: nothing is known of it. */
  readonly lacksBytes: number | null;
}

export interface Forecast {
  readonly primary: NodeName;
  /** `null`: nobody would. */
  readonly takesOver: NodeName | null;
  /** Until somebody is writable again, about; `null`: nobody would be. */
  readonly withinMs: number | null;
  /** Acknowledged on the primary alone, in bytes of WAL: at least so much would be missing. */
  readonly atRiskBytes: number | null;
  /** Only since the declaration accepts that what the unheard may have is lost. */
  readonly byAcceptance: boolean;
  /** Why nobody would; `null`: somebody would. */
  readonly because: string | null;
  readonly candidates: readonly Prospect[];
}

interface Known {
  readonly timeline: number;
  readonly lsn: Lsn;
  /** Of those that stream, at the same instant. */
  readonly flushed: ReadonlyMap<NodeName, Lsn>;
}

/** `null`: nobody is primary now, or how far it has written is not known. */
export function forecast(view: ClusterView, reach: Reach): Forecast | null {
  const spec = view.store.spec?.value.spec ?? null;
  const lease = view.store.lease?.value ?? null;
  if (spec === null || lease?.state !== 'held') return null;
  const known = positionOf(view, lease.holder);
  if (known === null) return null;
  const others = nodesOfRole(spec, 'database').filter(({ name }) => name !== lease.holder);
  const voices = others.map((node) => voiceOf(view, node, { lease, known, reach }));
  const ballots = voices.flatMap(({ ballot }) => ballot ?? []);
  const plain = hold(view, { spec, lease, known, ballots, accepted: null });
  const { acceptLossAfterMs } = spec.durability;
  const election =
    plain.winner === null && acceptLossAfterMs !== null
      ? hold(view, { spec, lease, known, ballots, accepted: lossAfter(lease) })
      : plain;
  const elected = election.candidates.find(({ node }) => node === election.winner) ?? null;
  const stopped = whyNoElection(view, spec, lease.holder, reach);
  const winner = stopped === null ? elected : null;
  const byAcceptance = winner?.byAcceptance ?? false;
  const windowMs = ballots.length < others.length ? electionWindowMs : 0;
  const waitMs = byAcceptance ? (acceptLossAfterMs ?? 0) : 0;
  return {
    primary: lease.holder,
    takesOver: winner?.node ?? null,
    withinMs: winner === null ? null : lease.ttlMs + driftMs(lease.ttlMs) + windowMs + electionMs + waitMs,
    atRiskBytes: winner?.lacksBytes ?? null,
    byAcceptance,
    because: view.store.handsOff === null && elected === null ? whyNobody(election, lease.holder) : stopped,
    candidates: prospects(election, voices),
  };
}

/** Silent nodes are counted as gone, with their members of the store. `null`: an election would be held. */
function whyNoElection(view: ClusterView, spec: Spec, primary: NodeName, reach: Reach): string | null {
  if (view.store.handsOff !== null) return 'hands are off';
  const silent = spec.nodes.filter(({ name }) => reach(name) === 'no').map(({ name }) => name);
  return lostStore(spec, primary, silent);
}

/** Of the election that is being held, or of the one that would be. */
export function candidatesNow(view: ClusterView, memory: DatabaseMemory, reach: Reach): readonly Prospect[] {
  const situation = assess(view, memory);
  const lease = view.store.lease?.value;
  if (lease === undefined || situation.spec === null) return [];
  if (freeInMs(situation) !== 0) return forecast(view, reach)?.candidates ?? [];
  const voices = nodesOfRole(situation.spec, 'database').map((node): Voice => {
    const ballot = view.store.ballots.get(`${lease.term + 1}/${node.name}`)?.value ?? null;
    return { node, ballot, text: 'has not been heard in this election' };
  });
  return prospects(electionOf(situation, lease), voices);
}

function positionOf(view: ClusterView, primary: NodeName): Known | null {
  if (view.postgres.state === 'primary' && view.self === primary) {
    const { timeline, insertLsn, peers } = view.postgres;
    const streaming = peers.flatMap(({ name, state, flushLsn }) =>
      state === 'streaming' && flushLsn !== null ? [[name, flushLsn] as const] : [],
    );
    return { timeline, lsn: insertLsn, flushed: new Map(streaming) };
  }
  const postgres = view.store.members.get(primary)?.value.postgres;
  const lsn = postgres?.state === 'primary' ? parseLsn(postgres.lsn) : undefined;
  if (postgres?.state !== 'primary' || lsn === undefined) return null;
  const flushed = Object.entries(postgres.flushed ?? {}).flatMap(([name, text]) => {
    const position = parseLsn(text);
    return position === undefined ? [] : [[name, position] as const];
  });
  return { timeline: postgres.timeline, lsn, flushed: new Map(flushed) };
}

interface Voice {
  readonly node: NodeSpec;
  /** `null`: it would not be heard. */
  readonly ballot: Ballot | null;
  /** Why not. */
  readonly text: string;
}

function voiceOf(
  view: ClusterView,
  node: NodeSpec,
  scene: { readonly lease: Lease; readonly known: Known; readonly reach: Reach },
): Voice {
  const silent = (text: string): Voice => ({ node, ballot: null, text });
  const member = view.store.members.get(node.name)?.value;
  if (member === undefined) return silent('nothing is known of it yet');
  if (scene.reach(node.name) === 'no') return silent('its agent is silent');
  if (member.postgres.state !== 'standby') return silent(`its PostgreSQL is ${member.postgres.state}`);
  const flushed = scene.known.flushed.get(node.name);
  const lsn = flushed ?? parseLsn(member.postgres.receivedLsn ?? member.postgres.replayedLsn);
  if (lsn === undefined) return silent('the end of its WAL is not known');
  const ballot: Ballot = {
    node: node.name,
    term: scene.lease.term + 1,
    timeline: flushed === undefined ? member.postgres.timeline : scene.known.timeline,
    lsn: formatLsn(lsn),
    bootId: '',
    priority: node.priority,
    unfit: node.failover === 'never' ? 'its declaration says `failover: never`' : whyUnfit(view, member),
  };
  return { node, ballot, text: 'its position belongs to no known timeline' };
}

function whyUnfit({ store }: ClusterView, member: MemberStatus): string | null {
  return store.shutOut.has(member.node) ? shutOutText : (member.unfit ?? null);
}

function lossAfter(lease: Lease): AcceptedLoss {
  return { term: lease.term + 1, counter: 0, to: null, covers: 'unheard', by: byDeclaration, at: '' };
}

function hold(
  { store }: ClusterView,
  scene: {
    readonly spec: Spec;
    readonly lease: Lease & { state: 'held' };
    readonly known: Known;
    readonly ballots: readonly Ballot[];
    readonly accepted: AcceptedLoss | null;
  },
): Election {
  const { spec, lease, known, ballots, accepted } = scene;
  return elect({
    term: lease.term + 1,
    lastHolder: lease.holder,
    durability: store.durability?.value ?? null,
    ballots,
    timelines: new Map([...store.timelines].map(([term, { value }]) => [term, value])),
    silent: new Set(),
    written: known,
    boots: store.renewal?.value.boots ?? {},
    candidates: electable(lease, store.renewal?.value),
    lossLimitBytes: spec.failover.lossLimitBytes,
    accepted,
  });
}

function whyNobody({ candidates, unheard, needed }: Election, primary: NodeName): string {
  const [first] = candidates;
  if (first === undefined) return 'no standby is there';
  if (needed === null) return `only ${primary} itself knows what was acknowledged`;
  if (unheard.length > 0 && candidates.length < needed + unheard.length) {
    return `${unheard.join(', ')} may have what was acknowledged, and would not be heard`;
  }
  return `${first.node}: ${first.because ?? ''}`;
}

/** Everybody has a place in it, with the reason; whoever goes first stands first. */
function prospects(election: Election, voices: readonly Voice[]): readonly Prospect[] {
  const winner = election.candidates.find(({ node }) => node === election.winner) ?? null;
  const priorities = new Map(voices.map(({ node }) => [node.name, node.priority]));
  const heard = election.candidates.map((candidate): Prospect => {
    const { node, because, lacksBytes } = candidate;
    if (because !== null) return { node, standing: 'refused', text: because, lacksBytes };
    if (winner === null || candidate === winner) return { node, standing: 'first', text: 'takes over', lacksBytes };
    return { node, standing: 'able', text: `${winner.node} ${before(winner, candidate, priorities)}`, lacksBytes };
  });
  const unheard = voices
    .filter(({ node }) => !heard.some((prospect) => prospect.node === node.name))
    .map(({ node, text }): Prospect => ({ node: node.name, standing: 'unheard', text, lacksBytes: null }));
  const order = ['first', 'able', 'refused', 'unheard'];
  return [...heard, ...unheard].sort((a, b) => order.indexOf(a.standing) - order.indexOf(b.standing));
}

function before(winner: Candidate, other: Candidate, priorities: ReadonlyMap<NodeName, number>): string {
  if (other.lacksBytes > winner.lacksBytes) return `is ${other.lacksBytes - winner.lacksBytes} bytes further`;
  const [its, own] = [priorities.get(winner.node) ?? 0, priorities.get(other.node) ?? 0];
  return its > own ? `has a higher priority, ${its} to ${own}` : 'comes first by name';
}
