/**
 * Which node makes a backup.
 *
 * Invariant: one that can, and if none of the standbys can, the primary: nothing of a standby keeps a backup from being made. Of the
 * standbys it is the one that a failover would miss least, since its disk is busy for a while. What a standby failed at is the primary's
 * at the next attempt.
 */
import { type BackupRun, wasCancelled } from '../backup-run.ts';
import type { BackupsSpec } from '../backups-spec.ts';
import type { NodeName } from '../spec.ts';
import type { NodeStatus } from '../status.ts';
import { byLoss, type ProofCandidate, unfit } from './proof-node.ts';

export type BackupCandidate = ProofCandidate & Pick<NodeStatus, 'lagBytes'>;

export interface BackupNodeFacts {
  readonly primary: NodeName;
  readonly from: BackupsSpec['from'];
  /** Has the primary made the repository ready, and looked at it? */
  readonly isReady: boolean;
  /** `null`: whoever is fit. */
  readonly named: NodeName | null;
  /** The last of its kind that ended; left out: there was none. */
  readonly last?: BackupRun | undefined;
}

export type BackupNode = { readonly node: NodeName } | { readonly refused: string };

/** It has to replay up to the backup's beginning before anything is copied. */
const furthestBehindBytes = 64 * 1_048_576;

export function chooseBackupNode(all: readonly BackupCandidate[], facts: BackupNodeFacts): BackupNode {
  const { from, isReady, last, named, primary } = facts;
  const nodes = all.filter(({ role }) => role === 'database');
  if (named !== null) return namedNode(nodes, primary, named);
  const failedThere = last !== undefined && last.state === 'failed' && !wasCancelled(last) && last.node !== primary;
  if (from === 'primary' || failedThere || !isReady) return { node: primary };
  const timeline = timelineOf(nodes, primary);
  const [first] = nodes
    .filter((each) => each.node !== primary && unfitToCopy(each, primary, timeline) === null)
    .toSorted(byLoss);
  return { node: first?.node ?? primary };
}

function namedNode(nodes: readonly BackupCandidate[], primary: NodeName, named: NodeName): BackupNode {
  if (named === primary) return { node: primary };
  const node = nodes.find((each) => each.node === named);
  if (node === undefined) return { refused: `${named} is no database node` };
  const because = unfitToCopy(node, primary, timelineOf(nodes, primary));
  return because === null ? { node: named } : { refused: `${named} ${because}` };
}

function timelineOf(nodes: readonly BackupCandidate[], primary: NodeName): number | null {
  const postgres = nodes.find(({ node }) => node === primary)?.postgres ?? null;
  return postgres?.state === 'primary' ? postgres.timeline : null;
}

/** A backup takes the primary's state of one moment: what a standby has of others, or much later, is of no use to it. */
function unfitToCopy(candidate: BackupCandidate, primary: NodeName, timeline: number | null): string | null {
  const { applyDelayMs = null, lagBytes, postgres } = candidate;
  const because = unfit(candidate);
  if (because !== null || postgres?.state !== 'standby') return because ?? 'is no standby';
  if (applyDelayMs !== null) return 'replays with a delay';
  if (postgres.streamingFrom !== primary) return `does not stream from ${primary}`;
  if (timeline === null || postgres.timeline !== timeline) return `is not known to be on the timeline of ${primary}`;
  if (lagBytes === null) return 'is behind by nobody knows how much';
  return lagBytes > furthestBehindBytes ? `is ${Math.round(lagBytes / 1_048_576)} MB behind` : null;
}
