/**
 * Which node proves the backups.
 *
 * Invariant: never one that serves writes, unless there is no other and a person named it. Of the standbys it is the one that a
 * failover would miss least, since its disk and its memory are busy for a while.
 */
import { parseLsn } from '../lsn.ts';
import type { NodeName } from '../spec.ts';
import type { NodeStatus } from '../status.ts';

export type ProofCandidate = Pick<
  NodeStatus,
  'node' | 'role' | 'priority' | 'failover' | 'applyDelayMs' | 'reachable' | 'postgres' | 'trouble'
>;

export type ProofNode = { readonly node: NodeName } | { readonly refused: string };

export function chooseProofNode(
  all: readonly ProofCandidate[],
  { primary, named }: { readonly primary: NodeName | null; readonly named: NodeName | null },
): ProofNode {
  const nodes = all.filter(({ role }) => role === 'database');
  if (named !== null) return namedNode(nodes, primary, named);
  const fit = nodes.filter((node) => node.node !== primary && unfit(node) === null);
  const [first] = fit.toSorted(byLoss);
  if (first !== undefined) return { node: first.node };
  if (nodes.length === 1 && primary === nodes[0]?.node) {
    return { refused: `there is no standby: it is done on the primary when that is named (--on ${primary})` };
  }
  const reasons = nodes.filter(({ node }) => node !== primary).map((node) => `${node.node} ${unfit(node)}`);
  return { refused: `no standby can do it: ${reasons.length === 0 ? 'there is none' : reasons.join(', ')}` };
}

function namedNode(nodes: readonly ProofCandidate[], primary: NodeName | null, named: NodeName): ProofNode {
  const node = nodes.find((each) => each.node === named);
  if (node === undefined) return { refused: `${named} is no database node` };
  if (named === primary) {
    return nodes.length === 1
      ? { node: named }
      : { refused: `${named} is primary: a standby does it, or leave out --on` };
  }
  const because = unfit(node);
  return because === null ? { node: named } : { refused: `${named} ${because}` };
}

/** A standby that is at work on itself has no disk to spare, and one that is silent would not begin. */
export function unfit({ postgres, reachable, trouble }: ProofCandidate): string | null {
  if (reachable === 'no') return 'is silent';
  if (postgres?.state !== 'standby') return `is ${postgres?.state ?? 'unknown'}`;
  return trouble === null ? null : `is in trouble: ${trouble}`;
}

/** First those that never become primary; then those of lower priority; then those that are further behind. */
export function byLoss(a: ProofCandidate, b: ProofCandidate): number {
  const rank = (node: ProofCandidate): number => (isCandidate(node) ? 1 : 0);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (a.priority !== b.priority) return a.priority - b.priority;
  const [first, second] = [replayed(a), replayed(b)];
  if (first !== second) return first < second ? -1 : 1;
  return a.node < b.node ? 1 : -1;
}

function isCandidate({ applyDelayMs, failover }: ProofCandidate): boolean {
  return failover !== 'never' && (applyDelayMs ?? null) === null;
}

function replayed({ postgres }: ProofCandidate): bigint {
  return postgres?.state === 'standby' ? (parseLsn(postgres.replayedLsn) ?? 0n) : 0n;
}
