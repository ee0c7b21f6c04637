/**
 * Who is at the other end of a connection, and on whose behalf something is done.
 *
 * Identities come from the client certificate's URI name: `understudy://<cluster>/<node|operator|viewer>/<name>`; a node's
 * role is what the spec says of it now.
 */
import type { NodeName } from '../../core/spec.ts';

export type Identity =
  | { readonly kind: 'node'; readonly name: NodeName; readonly role: 'database' | 'app' | 'witness' | 'unknown' }
  | Person;

/** `operator`: may do all that a person may; `viewer`: may look, and change nothing. */
export interface Person {
  readonly kind: 'operator' | 'viewer';
  readonly name: string;
}

/** Whom a right is given to: a person by role, or a node by role. */
export type CallerKind = 'operator' | 'viewer' | 'database' | 'app' | 'witness';

/** Who wants something done: a person, or an agent of its own accord. */
export type Orderer = Person | { readonly kind: 'agent'; readonly name: string };
