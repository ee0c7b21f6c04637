/**
 * Why no backup can be made although backups are declared: the primary's server was started before they were, and begins to archive only
 * with its next start. Pure.
 */
import type { MemberStatus } from '../cluster-view.ts';
import { restartCommands } from '../restart-commands.ts';
import type { NodeName, Spec } from '../spec.ts';

export interface ArchivingOff {
  readonly text: string;
  /** By which it ends. */
  readonly commands: string;
}

/** `members`: what nodes say of themselves; `null`: it is not so, as far as is known. */
export function archivingOff(
  spec: Spec | null,
  primary: NodeName | null,
  members: ReadonlyMap<NodeName, Pick<MemberStatus, 'pendingRestart'>>,
): ArchivingOff | null {
  const waits = (node: NodeName): boolean =>
    members.get(node)?.pendingRestart.some(({ name, wanted }) => name === 'archive_mode' && wanted !== 'off') === true;
  if (spec === null || spec.backups === null || primary === null || !waits(primary)) return null;
  const nodes = spec.nodes.map(({ failover, name, role }) => ({ failover, name, role, waits: waits(name) }));
  return {
    text: `no backup can be made before PostgreSQL on ${primary} is restarted: it archives nothing until then`,
    commands: restartCommands(nodes, primary, primary),
  };
}
