/**
 * Is every node as the spec wants it, and if not, what is still owed? Pure, from a status.
 *
 * A database node has converged when its agent says that it carried this revision out and owes nothing; a witness when its
 * agent has read it; an app node when its pooler runs with it. What waits for a restart is not owed: that is the operator's to choose.
 */
import type { NodeSpec, Spec } from '../core/spec.ts';
import type { ClusterStatus, NodeStatus } from '../core/status.ts';

export interface Owed {
  readonly node: string;
  readonly text: string;
  /** Nobody speaks for this node. */
  readonly isSilent: boolean;
}

export function owedBy(status: ClusterStatus, spec: Spec, revision: number): readonly Owed[] {
  return spec.nodes.flatMap((node) => {
    const owed = node.role === 'app' ? poolerOwes(status, node, revision) : memberOwes(status, node, revision);
    return owed === null ? [] : [{ node: node.name, ...owed }];
  });
}

type Debt = Omit<Owed, 'node'> | null;

const silent = { text: 'its agent does not answer', isSilent: true };

function memberOwes(status: ClusterStatus, { name, role }: NodeSpec, revision: number): Debt {
  const known = status.nodes.find((node) => node.node === name);
  if (known === undefined || known.reachable !== 'yes') return silent;
  if ((known.specRevision ?? 0) < revision)
    return { text: `has revision ${known.specRevision ?? 'none'}`, isSilent: false };
  if (known.unconverged.length > 0) return { text: known.unconverged.join(', '), isSilent: false };
  return role === 'witness' || serves(known)
    ? null
    : { text: `is ${known.postgres?.state ?? 'unknown'}`, isSilent: false };
}

function serves({ postgres }: NodeStatus): boolean {
  return postgres?.state === 'primary' || postgres?.state === 'standby';
}

function poolerOwes(status: ClusterStatus, { name }: NodeSpec, revision: number): Debt {
  const known = status.poolers.find((pooler) => pooler.node === name);
  // An agent that the pooler does not report to knows it from the store alone.
  if (known === undefined || known.report === null || known.reachable === 'no') return silent;
  const { specRevision, trouble } = known.report;
  if (specRevision >= revision) return null;
  return { text: trouble ?? `its pooler has revision ${specRevision}`, isSilent: false };
}
