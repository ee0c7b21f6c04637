/**
 * Is every node as the spec wants it, and if not, what is still owed? Pure, from a status.
 *
 * A database node has converged when its agent says that it carried this revision out and owes nothing; a witness when its
 * agent has read it; an app node when its pooler runs with it, and logs in for every application that is new there. Only a primary
 * owes databases and passwords: while there is none, nobody is as declared. What waits for a restart is not owed: that is the
 * operator's to choose.
 */
import { type NodeSpec, nodesOfRole, type Spec } from '../core/spec.ts';
import type { ClusterStatus, NodeStatus } from '../core/status.ts';

export interface Owed {
  readonly node: string;
  readonly text: string;
  /** Nobody speaks for this node. */
  readonly isSilent: boolean;
}

export interface Wanted {
  readonly spec: Spec;
  readonly revision: number;
  /** What was in force before; `null`: nothing was. */
  readonly before: Spec | null;
}

export function owedBy(status: ClusterStatus, { spec, revision, before }: Wanted): readonly Owed[] {
  const owed = spec.nodes.flatMap((node) => {
    const debt =
      node.role === 'app'
        ? poolerOwes(status, node, revision, newOn(node, spec, before))
        : memberOwes(status, node, revision);
    return debt === null ? [] : [{ node: node.name, ...debt }];
  });
  const [first] = nodesOfRole(spec, 'database');
  if (owed.length > 0 || first === undefined || status.nodes.some(isPrimary)) return owed;
  return [{ node: status.primary ?? first.name, text: 'no node is primary', isSilent: false }];
}

function isPrimary({ postgres, reachable }: NodeStatus): boolean {
  return reachable === 'yes' && postgres?.state === 'primary';
}

function newOn({ name }: NodeSpec, spec: Spec, before: Spec | null): readonly string[] {
  const runs = (each: Spec | null) => (each?.applications ?? []).filter(({ nodes }) => nodes.includes(name));
  const known = new Set(runs(before).map((application) => application.name));
  return runs(spec).flatMap((application) => (known.has(application.name) ? [] : [application.name]));
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

function poolerOwes(
  status: ClusterStatus,
  { name }: NodeSpec,
  revision: number,
  applications: readonly string[],
): Debt {
  const known = status.poolers.find((pooler) => pooler.node === name);
  // An agent that the pooler does not report to knows it from the store alone.
  if (known === undefined || known.report === null || known.reachable === 'no') return silent;
  const { specRevision, trouble, credentials } = known.report;
  const waiting = credentials === undefined ? [] : applications.filter((each) => (credentials[each] ?? 0) === 0);
  if (specRevision >= revision && waiting.length === 0) return null;
  if (specRevision >= revision)
    return { text: trouble ?? `its pooler has no password for ${waiting.join(', ')}`, isSilent: false };
  return { text: trouble ?? `its pooler has revision ${specRevision}`, isSilent: false };
}
