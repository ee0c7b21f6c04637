/**
 * Keeps a cluster's authority in a directory: root and issuing authority, each as certificate and key.
 *
 * Invariant: it is founded once, since another root would be another cluster's; no private key is written but under the passphrase.
 * The root's list of revoked certificates lies beside it from the beginning: whoever checks lists needs one of each authority, and
 * the root's key is not there every day.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import { createIssuing, createRoot } from './authority.ts';
import type { AuthoritySubject } from './authority-subject.ts';
import { replaceFile } from './credential-files.ts';
import { encryptKey } from './encrypted-key.ts';
import { lifeOf } from './life.ts';
import { revocationList } from './revocation-list.ts';

export interface FoundingRequest {
  readonly directory: string;
  readonly cluster: string;
  readonly subject?: AuthoritySubject;
  readonly rootLifeMs: number;
  readonly issuingLifeMs: number;
  readonly passphrase: string;
  /** Wall clock. */
  readonly nowMs: number;
}

/** Throws REFUSED where there is one already, CONFIG_INVALID for names and passphrases that can't be, PROCESS_FAILED for the disk. */
export async function foundAuthority(request: FoundingRequest): Promise<void> {
  const { cluster, directory, nowMs, passphrase } = request;
  for (const name of ['root.key', 'root.crt', 'issuing.key', 'issuing.crt']) {
    if (!existsSync(join(directory, name))) continue;
    throw new UnderstudyError('REFUSED', `there is an authority in ${directory} already (${name})`, {
      hint: 'name another directory; a cluster has one authority',
    });
  }
  const subject = request.subject === undefined ? {} : { subject: request.subject };
  const root = await createRoot({ cluster, ...subject, lifeMs: request.rootLifeMs, nowMs });
  const issuing = await createIssuing(root, { cluster, lifeMs: request.issuingLifeMs, nowMs });
  const write = (name: string, text: string, mode: number) => replaceFile(join(directory, name), text, mode, null);
  const keys = { root: encryptKey(root.keyPem, passphrase), issuing: encryptKey(issuing.keyPem, passphrase) };
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    await write('root.key', keys.root, 0o600);
    await write('root.crt', root.certificatePem, 0o644);
    await write('root.crl', await revocationList(root, [], nowMs), 0o644);
    await write('issuing.crt', issuing.certificatePem, 0o644);
    await write('issuing.key', keys.issuing, 0o600);
  } catch (cause) {
    if (cause instanceof UnderstudyError) throw cause;
    throw new UnderstudyError('REFUSED', `${directory} can't be written: ${describeError(cause)}`, { cause });
  }
}

export interface AuthorityPart {
  readonly part: 'root' | 'issuing';
  readonly subject: string;
  readonly serial: string;
  readonly fingerprint256: string;
  /** Wall clock, each. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** `clear`: whoever can read the file has it. `absent`: it lies elsewhere. */
  readonly key: 'encrypted' | 'clear' | 'absent';
}

/** Root first. Throws NOT_FOUND where there is none, CERTIFICATE_REFUSED when the two don't belong together. */
export function readAuthorityParts(directory: string): readonly AuthorityPart[] {
  const root = certificateIn(directory, 'root');
  const issuing = certificateIn(directory, 'issuing');
  if (!issuing.checkIssued(root) || !issuing.verify(root.publicKey)) {
    throw new UnderstudyError(
      'CERTIFICATE_REFUSED',
      `the root in ${directory} has not signed the issuing authority there`,
    );
  }
  return [partOf(directory, 'root', root), partOf(directory, 'issuing', issuing)];
}

function certificateIn(directory: string, part: AuthorityPart['part']): X509Certificate {
  const file = join(directory, `${part}.crt`);
  try {
    return new X509Certificate(readFileSync(file));
  } catch (cause) {
    throw new UnderstudyError('NOT_FOUND', `there is no authority in ${directory}: ${file}: ${describeError(cause)}`, {
      hint: 'understudy ca init founds one',
      cause,
    });
  }
}

function partOf(directory: string, part: AuthorityPart['part'], certificate: X509Certificate): AuthorityPart {
  const { fingerprint256, serialNumber, subject } = certificate;
  const { issuedAtMs, endsAtMs } = lifeOf(certificate);
  const named = { part, subject: subject.replaceAll('\n', ', '), serial: serialNumber, fingerprint256 };
  return { ...named, issuedAtMs, expiresAtMs: endsAtMs, key: keyStateOf(join(directory, `${part}.key`)) };
}

function keyStateOf(file: string): AuthorityPart['key'] {
  if (!existsSync(file)) return 'absent';
  return readFileSync(file, 'utf8').includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') ? 'encrypted' : 'clear';
}
