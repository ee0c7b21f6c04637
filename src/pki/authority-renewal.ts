/**
 * Renews the issuing authority where the root's key is: signs a new one, and seals its key to each database node.
 *
 * Invariant: to whom it is sealed says the authority itself: a database node's sealing certificate, which a root has vouched for by
 * way of an issuing authority. Sealed is by a key that the new authority certifies for an hour and that is thrown away, so that a
 * node believes it for the root's sake alone. The root's key is in memory for that long, and nowhere else in clear.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import { type Authority, createIssuing, type Root } from './authority.ts';
import { replaceFile } from './credential-files.ts';
import { decryptKey, encryptKey } from './encrypted-key.ts';
import { issue } from './issue.ts';
import { issuingKeyPlace } from './issuing-task.ts';
import { seal } from './seal.ts';
import { type SealingKey, verifySealingCertificate, verifySealingKey } from './sealing-key.ts';

export interface Recipient {
  readonly node: string;
  readonly chainPem: string;
}

export interface SealedToNode {
  readonly node: string;
  readonly sealed: string;
}

export interface RefusedRecipient {
  readonly node: string;
  readonly because: string;
}

const sealerLifeMs = 60 * 60_000;
/** A host name, so that it can stand in a sealing certificate; no node answers to it. */
const sealerName = 'root-holder';

/** Throws NOT_FOUND where there is none, CERTIFICATE_REFUSED for a wrong passphrase. */
export function openRoot(directory: string, passphrase: string): Root {
  return { certificatePem: read(directory, 'root.crt'), keyPem: decryptKey(read(directory, 'root.key'), passphrase) };
}

/** `rootsPem`: what the recipients' certificates may rest on. Nodes that can't be sealed to are told, and are no obstacle. */
export async function sealToNodes(
  authority: Authority,
  recipients: readonly Recipient[],
  about: { readonly cluster: string; readonly rootsPem: string; readonly nowMs: number },
): Promise<{ readonly sealed: readonly SealedToNode[]; readonly refused: readonly RefusedRecipient[] }> {
  const { cluster, nowMs } = about;
  const by = await sealer(authority, cluster, nowMs);
  const { certificatePem, keyPem } = authority;
  const secret = Buffer.from(JSON.stringify({ certificatePem, keyPem }));
  const sealed: SealedToNode[] = [];
  const refused: RefusedRecipient[] = [];
  for (const { node, chainPem } of recipients) {
    const found = verifySealingCertificate(chainPem, node, about, nowMs);
    if (!found.ok) refused.push({ node, because: found.because });
    else if (!found.value.maySeal) refused.push({ node, because: "its sealing certificate is no database node's" });
    else {
      const context = issuingKeyPlace(node);
      sealed.push({ node, sealed: seal({ secret, cluster, context, to: found.value, by, nowMs }) });
    }
  }
  return { sealed, refused };
}

/** A new one, not yet written anywhere. */
export function newIssuing(root: Root, about: { cluster: string; lifeMs: number; nowMs: number }): Promise<Authority> {
  return createIssuing(root, about);
}

/** In the place of the former one, its key under the passphrase. Throws REFUSED when the disk does not take it. */
export async function keepIssuing(directory: string, authority: Authority, passphrase: string): Promise<void> {
  try {
    await replaceFile(join(directory, 'issuing.crt'), authority.certificatePem, 0o644, null);
    await replaceFile(join(directory, 'issuing.key'), encryptKey(authority.keyPem, passphrase), 0o600, null);
  } catch (cause) {
    throw new UnderstudyError('REFUSED', `${directory} can't be written: ${describeError(cause)}`, { cause });
  }
}

async function sealer(authority: Authority, cluster: string, nowMs: number): Promise<SealingKey> {
  const request = {
    kind: 'sealing',
    cluster,
    node: sealerName,
    role: 'database',
    lifeMs: sealerLifeMs,
    nowMs,
  } as const;
  const files = await issue(authority, request);
  const own = verifySealingKey(files, sealerName, { cluster, rootsPem: authority.rootsPem }, nowMs);
  if (!own.ok) throw new UnderstudyError('CERTIFICATE_REFUSED', `the new issuing authority: ${own.because}`);
  return own.value;
}

function read(directory: string, name: string): string {
  try {
    return readFileSync(join(directory, name), 'utf8');
  } catch (cause) {
    throw new UnderstudyError('NOT_FOUND', `${join(directory, name)} can't be read: ${describeError(cause)}`, {
      hint: 'name the directory that `understudy ca init` made: --in DIRECTORY',
      cause,
    });
  }
}
