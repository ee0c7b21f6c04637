/**
 * Who may take the lease from a living holder: only those that it wrote into its own renewal (PROTOCOLS, "Lease"; model C).
 *
 * While the store is silent the holder lives on the promises of everybody who could be promoted. Whoever became a candidate
 * by the declaration alone would be one that it never asked, and two nodes would be writable. So the declaration says who
 * shall be a candidate, and the renewal who is: the winner's transaction compares it.
 *
 * Invariant: whoever any renewal names that may stand in the store, now or later, is asked. One that nobody answered may
 * land yet; one that an earlier process of this node sent is not known, until this process has had one acknowledged.
 * A holder that released the lease lives on nothing any more: then the declaration alone decides.
 */
import type { Lease, Renewal } from '../lease.ts';
import { otherDatabaseNodes, type Situation } from '../situation.ts';
import { type NodeName, nodesOfRole, type Spec } from '../spec.ts';

export function declaredCandidates(spec: Spec): readonly NodeName[] {
  return nodesOfRole(spec, 'database').flatMap(({ name, failover }) => (failover === 'allowed' ? [name] : []));
}

/** What the holder writes with its next renewal; `undefined`: neither a declaration nor a record is known. */
export function candidatesToName({ spec, view }: Situation): readonly NodeName[] | undefined {
  return spec === null ? view.store.renewal?.value.candidates : declaredCandidates(spec);
}

/** Who alone may be elected; `null`: whoever says that it may stand. Older versions name nobody, and ask whom the spec names. */
export function electable(lease: Lease, renewal: Renewal | undefined): readonly NodeName[] | null {
  return lease.state === 'released' ? null : (renewal?.candidates ?? null);
}

/** Everybody whose promise the holder needs, as long as the store is silent. */
export function mustPromise(situation: Situation): readonly NodeName[] {
  const { view, memory, spec, self, lease } = situation;
  const term = lease.is === 'mine' ? lease.lease.value.term : 0;
  // Its own right of the preceding term will do: nobody else can have taken this one.
  const isOwn = memory.renewal !== null && memory.renewal.term >= term - 1;
  const recorded = view.store.renewal?.value.candidates ?? (spec === null ? [] : declaredCandidates(spec));
  const all = isOwn ? [] : otherDatabaseNodes(situation).map(({ name }) => name);
  return [...new Set([...recorded, ...memory.named, ...all])].filter((node) => node !== self);
}
