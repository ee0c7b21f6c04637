/**
 * Puts a node's files where its node file says that they are: directories, keys, certificates, the password for the store.
 *
 * Invariant: may be broken off anywhere and done again; each file is whole, its owner's from the beginning, and keys are nobody
 * else's to read. A sealing key and a password that are there stay: what was sealed to the one, and who knows the other, is elsewhere.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { renderNodeFile } from '../config/load-node-file.ts';
import { applicationsDirectory, type NodeFile } from '../config/node-file.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type CredentialOwner, replaceFile } from '../pki/credential-files.ts';
import type { LeafPlaces } from '../pki/leaf-files.ts';
import { createSigningRequest } from '../pki/signing-request.ts';
import { run } from '../process/run.ts';

/** Whose files they are to be: only root can give files away. Throws NOT_FOUND. */
export async function ownerFor(user: string): Promise<CredentialOwner | null> {
  if (process.getuid?.() !== 0) return null;
  const id = async (flag: string) => {
    const { code, stdout } = await run('id', [flag, '--', user], { withinMs: 5_000, anyExit: true });
    return code === 0 ? Number(stdout.trim()) : null;
  };
  const [uid, gid] = [await id('-u'), await id('-g')];
  if (uid !== null && gid !== null) return { uid, gid };
  throw new UnderstudyError('NOT_FOUND', `there is no user ${user} on this machine`, {
    hint: 'install the postgresql package first, which makes it; or name as whom the agent runs: --user',
  });
}

export function placesOf({ store, tls }: NodeFile): LeafPlaces {
  return {
    node: tls,
    ...(tls.sealing === undefined ? {} : { sealing: tls.sealing }),
    ...(store === null ? {} : { 'store-client': store }),
    ...(store?.server === undefined ? {} : { 'store-server': store.server }),
  };
}

/** Directories, and the sealing key if there is none yet. Throws what the file system throws. */
export async function preparePremises(file: NodeFile, owner: CredentialOwner | null): Promise<void> {
  const { log, run: runDirectory, state } = file.directories;
  directory(state, 0o700, owner);
  directory(log, 0o750, owner);
  directory(runDirectory, 0o755, owner);
  if (file.role === 'app') directory(applicationsDirectory(file), 0o755, owner);
  for (const { certificate, key } of Object.values(placesOf(file))) {
    directory(dirname(certificate), 0o700, owner);
    directory(dirname(key), 0o700, owner);
  }
  const { sealing } = file.tls;
  if (sealing === undefined || existsSync(sealing.key)) return;
  await replaceFile(sealing.key, createSigningRequest().keyPem, 0o600, owner);
}

function directory(path: string, mode: number, owner: CredentialOwner | null): void {
  if (existsSync(path)) return;
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
  if (owner !== null) chownSync(path, owner.uid, owner.gid);
}

/** What this node trusts; another authority's, of a store that is somebody else's, is not touched. */
export async function placeAuthority({ tls }: NodeFile, caPem: string, owner: CredentialOwner | null): Promise<void> {
  await replaceFile(tls.ca, caPem, 0o644, owner);
}

/** Answers whether there was none, so that the store does not know it yet. */
export async function placeStorePassword({ store }: NodeFile, owner: CredentialOwner | null): Promise<boolean> {
  if (store === null || existsSync(store.passwordFile)) return false;
  await replaceFile(store.passwordFile, `${randomBytes(24).toString('hex')}\n`, 0o600, owner);
  return true;
}

/** Last of all: it says that the rest is there. Nothing in it is secret. */
export async function placeNodeFile(path: string, file: NodeFile): Promise<void> {
  directory(dirname(path), 0o755, null);
  await replaceFile(path, renderNodeFile(file), 0o644, null);
}
