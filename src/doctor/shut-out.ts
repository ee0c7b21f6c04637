/** Nodes whose certificate was revoked: what is left for people to do, and in which order. */
import type { DoctorFinding } from '../api/contract/looks.ts';
import type { NodeName, NodeSpec, Spec } from '../core/spec.ts';
import { bad, ok } from './finding.ts';

const check = 'identity';

export interface Identities {
  readonly self: NodeName;
  readonly spec: Spec;
  readonly shutOut: ReadonlySet<NodeName>;
  /** Who holds the lease. It speaks for all others, too: who was shut out may know nothing of it. */
  readonly primary: NodeName | null;
}

export function checkIdentities({ self, spec, shutOut, primary }: Identities): readonly DoctorFinding[] {
  const told = spec.nodes.filter(({ name }) => self === primary || name === self);
  const out = told.filter(({ name }) => shutOut.has(name));
  if (out.length === 0) return [ok(check, 'no certificate of a declared node is revoked')];
  return out.map((node) => {
    const first = node.name === primary ? 'understudy switchover first; then ' : '';
    return bad(check, 'failure', `the certificate of ${node.name} was revoked`, `${first}${freshIdentity(spec, node)}`);
  });
}

/** docs/access.md, "Revoked certificates". */
function freshIdentity({ cluster }: Spec, { name, role }: NodeSpec): string {
  const password = role === 'app' ? '' : `; and another password for ${cluster}-${name} in the store`;
  return `understudy node token ${name}, on that machine understudy enrol, and a restart of its agent${password}`;
}
