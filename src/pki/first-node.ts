/**
 * Makes the certificates of a cluster's first node, where the authority is: no node is there yet that could sign.
 *
 * Invariant: the issuing key leaves its passphrase for this process's memory and for one file, in which it is sealed to the first
 * node by that node's own sealing key, as each of its like has it in the store.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CertificateWish, IssuedCertificate } from '../core/certificates.ts';
import type { NodeSpec, Spec } from '../core/spec.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Authority } from './authority.ts';
import { type CredentialOwner, replaceFile } from './credential-files.ts';
import { decryptKey } from './encrypted-key.ts';
import { signOne } from './issuer.ts';
import { issuingKeyPlace } from './issuing-task.ts';
import { seal } from './seal.ts';
import { verifySealingKey } from './sealing-key.ts';

/** Throws NOT_FOUND where there is none, CERTIFICATE_REFUSED for a wrong passphrase or another root's. */
export function openIssuing(directory: string, cluster: string, passphrase: string): Authority {
  const read = (name: string): string => {
    try {
      return readFileSync(join(directory, name), 'utf8');
    } catch (cause) {
      throw new UnderstudyError('NOT_FOUND', `there is no authority in ${directory}: ${describeError(cause)}`, {
        hint: `understudy ca init --cluster ${cluster} founds one; --in names where it is`,
        cause,
      });
    }
  };
  const [certificatePem, rootsPem] = [read('issuing.crt'), read('root.crt')];
  const [issuing, root] = [new X509Certificate(certificatePem), new X509Certificate(rootsPem)];
  if (!issuing.checkIssued(root) || !issuing.verify(root.publicKey))
    throw new UnderstudyError('CERTIFICATE_REFUSED', `the root in ${directory} has not signed the authority there`);
  return { certificatePem, keyPem: decryptKey(read('issuing.key'), passphrase), rootsPem };
}

/** Members of the store on one machine call each other from there, and etcd checks the caller's address too. */
const loopback = '127.0.0.1';

export async function signFor(
  authority: Authority,
  { cluster, domain, tls }: Spec,
  { address, name: node, role }: NodeSpec,
  wishes: readonly CertificateWish[],
  nowMs: number,
): Promise<readonly IssuedCertificate[]> {
  const issued: IssuedCertificate[] = [];
  for (const { purpose, request } of wishes) {
    const addresses = purpose === 'store-server' ? [address, loopback] : [address];
    const wanted = { purpose, request, node, role, addresses, lifeMs: tls.certificateLifeMs };
    const { chain } = await signOne(authority, { cluster, domain, nowMs }, wanted);
    issued.push({ purpose, chain });
  }
  return issued;
}

/** As in its node file. */
interface SealedPlace {
  readonly cluster: string;
  readonly node: string;
  readonly directories: { readonly state: string };
  readonly tls: { readonly sealing?: { readonly certificate: string; readonly key: string } | undefined };
}

/** Its agent brings it into the store, which is empty. Throws CERTIFICATE_REFUSED. */
export async function sealToItself(
  { certificatePem, keyPem, rootsPem }: Authority,
  { cluster, directories, node, tls }: SealedPlace,
  owner: CredentialOwner | null,
  nowMs: number,
): Promise<void> {
  if (tls.sealing === undefined) throw new UnderstudyError('BROKEN_INVARIANT', `${node} has no sealing key`);
  const [certificate, key] = [tls.sealing.certificate, tls.sealing.key].map((path) => readFileSync(path, 'utf8'));
  const files = { certificatePem: certificate ?? '', keyPem: key ?? '' };
  const own = verifySealingKey(files, node, { cluster, rootsPem }, nowMs);
  if (!own.ok) throw new UnderstudyError('CERTIFICATE_REFUSED', `the sealing certificate of ${node}: ${own.because}`);
  const secret = Buffer.from(JSON.stringify({ certificatePem, keyPem }));
  const context = issuingKeyPlace(node);
  const sealed = seal({ secret, cluster, context, to: own.value, by: own.value, nowMs });
  await replaceFile(join(directories.state, 'issuing-key.sealed'), sealed, 0o600, owner);
}
