/**
 * A stage's certificate authority, in `ca/`: the same files that `understudy ca init` would leave. Its passphrase lies beside it, which
 * on a stage keeps nothing from anybody: so what opens the root's key is what does on a server.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority } from '../pki/authority.ts';
import { foundAuthority } from '../pki/authority-files.ts';
import { decryptKey } from '../pki/encrypted-key.ts';
import { nextDirectory } from '../pki/rollover-files.ts';
import { joinRoots } from '../pki/trust-statement.ts';
import type { StageRecord } from './record.ts';

const dayMs = 24 * 60 * 60_000;
const rootLifeMs = 3_650 * dayMs;
const issuingLifeMs = 400 * dayMs;

export function authorityDirectory(record: StageRecord): string {
  return join(record.root, 'ca');
}

export function passphraseFileIn(directory: string): string {
  return join(directory, 'passphrase');
}

/** PEM: what every node of the stage trusts, or is to trust soon: during a rollover two. Throws as reading a file does. */
export function stageAuthorityRoots(record: StageRecord): string {
  const directory = authorityDirectory(record);
  const own = readFileSync(join(directory, 'root.crt'), 'utf8');
  const next = join(nextDirectory(directory), 'root.crt');
  return existsSync(next) ? joinRoots(own, readFileSync(next, 'utf8')) : own;
}

/** PEM: what the root has revoked. Throws as reading a file does. */
export function stageRootList(record: StageRecord): string {
  return readFileSync(join(authorityDirectory(record), 'root.crl'), 'utf8');
}

/** Opened once: that takes a moment by design. */
const opened = new Map<string, Authority>();

/** The issuing authority; founded when there is none. Its key stays with whoever made the stage. */
export async function stageAuthority(record: StageRecord): Promise<Authority> {
  const directory = authorityDirectory(record);
  const known = opened.get(directory);
  if (known !== undefined && existsSync(directory)) return known;
  const inside = (name: string) => join(directory, name);
  // Written last.
  if (!existsSync(inside('issuing.key'))) await found(record, directory);
  const read = (name: string) => readFileSync(inside(name), 'utf8');
  const keyPem = decryptKey(read('issuing.key'), readFileSync(passphraseFileIn(directory), 'utf8').trim());
  const authority = { certificatePem: read('issuing.crt'), keyPem, rootsPem: stageAuthorityRoots(record) };
  opened.set(directory, authority);
  return authority;
}

async function found({ cluster }: StageRecord, directory: string): Promise<void> {
  const passphrase = randomBytes(24).toString('hex');
  // What was left of one that was interrupted.
  for (const name of ['root.key', 'root.crt', 'issuing.crt']) rmSync(join(directory, name), { force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(passphraseFileIn(directory), `${passphrase}\n`, { mode: 0o600 });
  await foundAuthority({ directory, cluster, rootLifeMs, issuingLifeMs, passphrase, nowMs: Date.now() });
}
