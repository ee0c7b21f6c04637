/**
 * The credentials of the repository of backups as the operator's file has them, and the passphrase that everything there is encrypted
 * with.
 *
 * The file is JSON: `{"key": …, "keySecret": …}` for S3, as docs/backups.md shows it for each kind of place.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RepositoryPlace } from '../core/backups-spec.ts';
import type { RepositoryCredentials } from '../core/repository-secret.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import { repositoryCredentials } from '../records/repository-secret-schema.ts';

const passphraseBytes = 32;

export function makePassphrase(): string {
  return randomBytes(passphraseBytes).toString('base64url');
}

/** `file`: relative to `cwd`; `null`: none was named. Throws CONFIG_UNREADABLE, CONFIG_INVALID. */
export function readRepositoryCredentials(
  place: RepositoryPlace,
  file: string | null,
  cwd: string,
): RepositoryCredentials {
  if (place.kind === 'directory') return { kind: 'none' };
  if (file === null) {
    throw new UnderstudyError('CONFIG_INVALID', `a repository of kind ${place.kind} needs credentials`, {
      hint: 'name their file in the cluster file, as backups.credentials: file:/root/credentials.json',
    });
  }
  const path = resolve(cwd, file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UnderstudyError('CONFIG_UNREADABLE', `${path}: ${describeError(cause)}`, { cause });
  }
  return parsed(place, path, text);
}

function parsed({ kind }: RepositoryPlace, path: string, text: string): RepositoryCredentials {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Nothing of its text: it is a secret.
    throw new UnderstudyError('CONFIG_INVALID', `${path} is not JSON`, { hint: shapes[kind] });
  }
  // Google's own file is the credential.
  const whole = kind === 'gcs' && isServiceKey(json) ? { kind, serviceKey: text.trim() } : withKind(json, kind);
  const result = repositoryCredentials.safeParse(whole);
  if (result.success && result.data.kind === kind) return result.data;
  const first = result.success ? undefined : result.error.issues[0];
  const where = first === undefined || first.path.length === 0 ? '' : ` ${first.path.join('.')}:`;
  throw new UnderstudyError(
    'CONFIG_INVALID',
    `${path}:${where} ${first?.message ?? `these are of kind ${whole.kind}`}`,
    {
      hint: shapes[kind],
    },
  );
}

const shapes: Readonly<Record<RepositoryPlace['kind'], string>> = {
  s3: 'write {"key": "…", "keySecret": "…"}, with "token" for temporary ones',
  azure: 'write {"keyType": "shared" or "sas", "key": "…"}',
  gcs: 'give the JSON file of the service account as it is',
  sftp: 'write {"privateKey": "…"}, the key in PEM with its line breaks as \\n',
  directory: 'a directory needs none',
};

function isServiceKey(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'private_key' in json && !('serviceKey' in json);
}

function withKind(json: unknown, kind: RepositoryPlace['kind']): { readonly kind: unknown } {
  return typeof json === 'object' && json !== null ? { kind, ...json } : { kind };
}
