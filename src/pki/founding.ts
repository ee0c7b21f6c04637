/**
 * What the first node of a cluster is given beside its own files, since no store is there yet that could be told: the root's list of
 * what it revoked, and the certificate of the first operator, which its agent lists later.
 *
 * Invariant: nothing of it is secret.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type CredentialOwner, type Credentials, certificatesIn, replaceFile } from './credential-files.ts';
import { memberListFile } from './member-list.ts';
import { recordOf } from './record.ts';

/** As in its node file. */
interface FoundedNode {
  readonly tls: { readonly ca: string };
  readonly store: { readonly server?: { readonly certificate: string } | undefined } | null;
}

/** Beside `ca.crt`, where its agent looks for it. */
export function rootListFile({ tls }: Pick<FoundedNode, 'tls'>): string {
  return join(dirname(tls.ca), 'root.crl');
}

/** `directory`: of the authority. Throws what the file system throws. */
export async function placeLists(directory: string, node: FoundedNode, owner: CredentialOwner | null): Promise<void> {
  const rootList = join(directory, 'root.crl');
  if (!existsSync(rootList)) return; // of an authority that another program made
  const list = readFileSync(rootList, 'utf8');
  await replaceFile(rootListFile(node), list, 0o644, owner);
  const server = node.store?.server;
  // The member needs one from its first start on; this one is empty.
  if (server !== undefined) await replaceFile(memberListFile(server), list, 0o644, owner);
}

function founderFile({ tls }: Pick<FoundedNode, 'tls'>): string {
  return join(dirname(tls.ca), 'first-operator.crt');
}

/** Throws what the file system throws. */
export async function placeFounder(
  node: FoundedNode,
  { certificatePem }: Credentials,
  owner: CredentialOwner | null,
): Promise<void> {
  await replaceFile(founderFile(node), certificatesIn(certificatePem), 0o644, owner);
}

/** Until it ends; on every other node there is none. `now`: ISO 8601. */
export function founderRecords(node: Pick<FoundedNode, 'tls'>, now: string): readonly ReturnType<typeof recordOf>[] {
  try {
    const record = recordOf(readFileSync(founderFile(node), 'utf8'));
    return record.expiresAt > now ? [record] : [];
  } catch {
    return []; // there is none, or none that could be listed
  }
}
