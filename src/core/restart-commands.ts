/**
 * By which commands a server is restarted that waits for it. Pure.
 *
 * A standby is restarted by itself. A primary comes to it by a switchover, to one that waits for no restart itself; only where no other
 * node may be primary it is restarted as it is, and writes fail meanwhile.
 */
import type { NodeName, NodeSpec } from './spec.ts';

export interface Restartable extends Pick<NodeSpec, 'name' | 'role' | 'failover'> {
  /** Does its server wait for the same restart? */
  readonly waits: boolean;
}

/** Who else may be primary, by declaration. */
export function othersThatMayLead<T extends Omit<Restartable, 'waits'>>(
  nodes: readonly T[],
  primary: NodeName,
): readonly T[] {
  return nodes.filter(({ failover, name, role }) => role === 'database' && failover === 'allowed' && name !== primary);
}

export function restartCommands(nodes: readonly Restartable[], node: NodeName, primary: NodeName | null): string {
  const others = node === primary ? othersThatMayLead(nodes, node) : [];
  const [first] = others;
  if (first === undefined) return `understudy restart ${node}`;
  if (others.some(({ waits }) => !waits)) return 'understudy switchover';
  return `understudy restart ${first.name}, then understudy switchover --to ${first.name}`;
}
