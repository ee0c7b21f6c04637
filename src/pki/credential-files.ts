/**
 * Keeps a certificate, its key and the roots: as three files, or with chain and key in one.
 *
 * Invariant: a reader sees a whole old or a whole new file, and no key is readable by others for an instant. Two files
 * can't be replaced at once: whoever reads between them finds that key and certificate don't match, and is told so. What is
 * renewed under running programs is one file therefore: PostgreSQL, libpq, pgbouncer, etcd and Node each take their part of it.
 */
import { createPrivateKey } from 'node:crypto';
import { chown, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import { readCertificate } from './identity.ts';

/** All in PEM. */
export interface Credentials {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly caPem: string;
}

/** Paths, named as in the node file. */
export interface CredentialFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export interface CredentialOwner {
  readonly uid: number;
  readonly gid: number;
}

/** The files that `writeCredentials` writes: `<name>.crt`, `<name>.key` and `ca.crt`. */
export function credentialFiles(directory: string, name: string): CredentialFiles {
  return {
    ca: join(directory, 'ca.crt'),
    certificate: join(directory, `${name}.crt`),
    key: join(directory, `${name}.key`),
  };
}

/** Chain and key in one file, which can be replaced at once: `<name>.pem`; beside `ca.crt`. */
export function combinedFiles(directory: string, name: string): CredentialFiles {
  const both = join(directory, `${name}.pem`);
  return { ca: join(directory, 'ca.crt'), certificate: both, key: both };
}

/** Into a directory that is there. Throws what the file system throws. */
export async function writeCombined(
  directory: string,
  name: string,
  credentials: Credentials,
  owner: CredentialOwner | null = null,
): Promise<CredentialFiles> {
  requireMatch(credentials, name);
  const files = combinedFiles(directory, name);
  await replaceFile(files.ca, credentials.caPem, 0o644, owner);
  await replaceFile(files.key, `${credentials.certificatePem}${credentials.keyPem}`, 0o600, owner);
  return files;
}

/** The certificates of a file in PEM, in their order; empty: none. */
export function certificatesIn(pem: string): string {
  return blocksIn(pem, 'CERTIFICATE');
}

/** The private key of a file in PEM; empty: none. */
export function keyIn(pem: string): string {
  return blocksIn(pem, '(?:[A-Z]+ )*PRIVATE KEY');
}

function blocksIn(pem: string, label: string): string {
  const blocks = pem.match(new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----`, 'g')) ?? [];
  return blocks.map((block) => `${block}\n`).join('');
}

/**
 * Creates the directory (mode 0755) when it is missing; the key gets mode 0600, certificates 0644. `owner`: whose the
 * files become, which only root can ask for. Throws what the file system throws.
 */
export async function writeCredentials(
  directory: string,
  name: string,
  credentials: Credentials,
  owner: CredentialOwner | null = null,
): Promise<CredentialFiles> {
  requireMatch(credentials, name);
  const created = await mkdir(directory, { recursive: true, mode: 0o755 });
  if (created !== undefined && owner !== null) await chown(directory, owner.uid, owner.gid);
  const files = credentialFiles(directory, name);
  await replaceFile(files.ca, credentials.caPem, 0o644, owner);
  await replaceFile(files.key, credentials.keyPem, 0o600, owner);
  await replaceFile(files.certificate, credentials.certificatePem, 0o644, owner);
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  return files;
}

/** Throws CERTIFICATE_REFUSED when a file can't be read, is not what it should be, or key and certificate don't match. */
export async function readCredentials(files: CredentialFiles): Promise<Credentials> {
  const [caPem, certificatePem, keyPem] = await Promise.all([
    readPem(files.ca),
    readPem(files.certificate),
    readPem(files.key),
  ]);
  // One file may hold both: of each only its own part is passed on.
  const credentials = { caPem, certificatePem: certificatesIn(certificatePem), keyPem: keyIn(keyPem) };
  requireMatch(credentials, files.certificate);
  return credentials;
}

function requireMatch(credentials: Credentials, name: string): void {
  readCertificate(credentials.caPem, 'the authority');
  const certificate = readCertificate(credentials.certificatePem, name);
  let isPair: boolean;
  try {
    isPair = certificate.checkPrivateKey(createPrivateKey(credentials.keyPem));
  } catch {
    // What OpenSSL says of a key is kept out: it may quote it.
    throw new UnderstudyError('CERTIFICATE_REFUSED', `${name}: its key can't be read`);
  }
  if (!isPair) throw new UnderstudyError('CERTIFICATE_REFUSED', `${name}: certificate and key don't belong together`);
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', `${path} can't be read (${describeError(cause)})`, {
      cause,
      hint: 'check that the file exists and belongs to the user that the agent runs as',
    });
  }
}

/** `owner`: whose it becomes, which only root can ask for. Throws what the file system throws. */
export async function replaceFile(
  path: string,
  content: string,
  mode: number,
  owner: CredentialOwner | null,
): Promise<void> {
  const fresh = `${path}.new`;
  await rm(fresh, { force: true }); // so that its mode is ours
  const handle = await open(fresh, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.chmod(mode);
    if (owner !== null) await handle.chown(owner.uid, owner.gid);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, path);
}
