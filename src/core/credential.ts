/**
 * The credential by which one application logs in from one node, as the store has it (docs/adr/0025).
 *
 * A new one is made for the login that rests, so that the old one is good until the pooler has left it. Nothing in a record is
 * secret: the password in it is sealed to the node.
 */
import type { Stored } from './cluster-view.ts';
import type { ApplicationName, NodeName } from './spec.ts';

export interface CredentialRecord {
  readonly application: ApplicationName;
  readonly node: NodeName;
  /** Counts from 1; its parity says which of the two logins it is of. */
  readonly generation: number;
  /** Somebody ordered a newer one than this when it is higher than `generation`. */
  readonly wanted: number;
  /** SHA-256 of the login's verifier as PostgreSQL keeps it, in hex: whether the server still knows this password. */
  readonly verifierDigest: string;
  /** The password, sealed to the node for the key that this record stands under. */
  readonly sealed: string;
  /** Wall clock, in ms. */
  readonly issuedAtMs: number;
  /** By which node's agent. */
  readonly issuedBy: NodeName;
  /** Which of its passwords at the pooler the application is to have, counted from 1; made on the node, and never told (pgbouncer/client-passwords.ts). */
  readonly clientPassword: number;
}

/** By `credentialName`. */
export type CredentialRecords = ReadonlyMap<string, Stored<CredentialRecord>>;

/** Of both together: names have no slash. */
export function credentialName(node: NodeName, application: ApplicationName): string {
  return `${node}/${application}`;
}

/** What an app node's agent is given. */
export interface SealedCredential {
  readonly application: ApplicationName;
  readonly generation: number;
  readonly sealed: string;
  /** As in `CredentialRecord`. */
  readonly clientPassword: number;
}

export function credentialsOf(node: NodeName, records: CredentialRecords): readonly SealedCredential[] {
  return [...records.values()]
    .filter(({ value }) => value.node === node)
    .map(({ value }) => sealedOf(value))
    .sort((a, b) => (a.application < b.application ? -1 : 1));
}

function sealedOf({ application, generation, sealed, clientPassword }: CredentialRecord): SealedCredential {
  return { application, generation, sealed, clientPassword };
}

/**
 * Of the same declaration the newer of each: agents differ for a moment, and an app node hears them all, and it never goes back to
 * a password that is about to be closed. `laterDeclared`: the applications of a later declaration; of these it is what that says, and
 * what was known where it says nothing, as after the loss of the store: the server still knows that password. A password at the
 * pooler is never an earlier one again.
 */
export function newerCredentials(
  known: readonly SealedCredential[],
  heard: readonly SealedCredential[],
  laterDeclared: readonly ApplicationName[] | null,
): readonly SealedCredential[] {
  const ofApplication = (list: readonly SealedCredential[], name: ApplicationName) =>
    list.find(({ application }) => application === name);
  const names = laterDeclared ?? [...known, ...heard].map(({ application }) => application);
  return [...new Set(names)].sort().flatMap((name) => {
    const [before, now] = [ofApplication(known, name), ofApplication(heard, name)];
    const isNewer = laterDeclared !== null || (now?.generation ?? 0) > (before?.generation ?? 0);
    const chosen = isNewer ? (now ?? before) : (before ?? now);
    if (chosen === undefined) return [];
    return { ...chosen, clientPassword: Math.max(before?.clientPassword ?? 1, now?.clientPassword ?? 1) };
  });
}
