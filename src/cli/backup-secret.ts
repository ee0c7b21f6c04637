/**
 * Gives the secret of the repository: credentials from a file, and a passphrase that is there, given, or made and shown once.
 *
 * Invariant: a passphrase that was made is in somebody's hands before it is in force.
 */
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RepositoryCredentials } from '../core/repository-secret.ts';
import type { Spec } from '../core/spec.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { makePassphrase, readRepositoryCredentials } from './repository-credentials.ts';
import { secretFrom } from './secret-input.ts';

interface SecretOptions {
  readonly credentials?: string;
  readonly passphraseFile?: string;
  readonly makePassphrase: boolean;
  readonly replace: boolean;
}

const orderWithinMs = 10_000;
const keepIt =
  'Keep it where the servers are not: without it nothing in the repository can be read. It is shown this once, before it is sealed: also if that fails, it may hold.';

export async function giveSecret(call: Call, options: SecretOptions): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  const { spec } = await access.ask((client, asking) => client.spec(asking));
  if (spec.backups === null)
    throw new UnderstudyError('REFUSED', 'no backups are declared', { hint: 'declare `backups`' });
  const credentials = readRepositoryCredentials(spec.backups.to, options.credentials ?? null, call.io.cwd);
  const made = options.makePassphrase ? makePassphrase() : null;
  const given =
    options.passphraseFile === undefined
      ? null
      : await secretFrom(call, { file: options.passphraseFile, option: '--passphrase-file', what: 'passphrase' });
  if (given === '') throw new UnderstudyError('REQUEST_INVALID', 'the passphrase is empty');
  const request = { credentials, passphrase: made ?? given, replaces: options.replace };
  const shown = made === null ? null : showBefore(call, made);
  const { sealedTo } = await access.order(
    (client, asking) => client.giveRepositorySecret(request, asking),
    orderWithinMs,
  );
  if (terminal.json) terminal.printJson({ sealedTo, passphrase: made });
  else terminal.print(`Sealed to ${sealedTo.join(', ')}.`);
  shown?.isSafe();
  return exitCodes.done;
}

export interface FirstSecret {
  readonly credentials: RepositoryCredentials;
  readonly passphrase: string;
}

/**
 * What a declaration lacks whose repository has no secret yet; `null`: nothing. Read before anything is declared, so that a file that
 * is not there is told in time. Throws CONFIG_UNREADABLE, CONFIG_INVALID.
 */
export async function firstSecret(
  access: ClusterAccess,
  { backups }: Spec,
  credentialsFile: string | null,
  cwd: string,
): Promise<FirstSecret | null> {
  if (backups === null) return null;
  const { hasSecret } = await access.ask((client, asking) => client.backups(asking));
  if (hasSecret) return null;
  return {
    credentials: readRepositoryCredentials(backups.to, credentialsFile, cwd),
    passphrase: makePassphrase(),
  };
}

/** Its passphrase is shown before. */
export async function giveFirstSecret(access: ClusterAccess, { credentials, passphrase }: FirstSecret): Promise<void> {
  const request = { credentials, passphrase, replaces: false };
  await access.order((client, asking) => client.giveRepositorySecret(request, asking), orderWithinMs);
}

export interface Shown {
  /** It was handed over in full: the file of it goes. */
  isSafe(): void;
}

/**
 * Before it is ordered: an order may be carried out, and its answer lost. With `--json` there is one answer, in the end: until then it
 * lies in a file, of which standard error tells. Throws REFUSED where that can't be written: nothing is ordered then.
 */
export function showBefore({ io, terminal }: Pick<Call, 'io' | 'terminal'>, passphrase: string): Shown {
  if (!terminal.json) {
    terminal.print('The passphrase of the backups:', '', `  ${passphrase}`, '', keepIt, '');
    return { isSafe: () => undefined };
  }
  const file = join(io.cwd, `understudy-passphrase-${randomBytes(4).toString('hex')}`);
  try {
    writeFileSync(file, `${passphrase}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new UnderstudyError('REFUSED', `the passphrase can't be kept in ${file}, so nothing is ordered`, {
      cause,
      hint: 'call it in a directory that you may write to',
    });
  }
  terminal.note(`until it is answered, the passphrase of the backups lies in ${file}: keep it if this fails`);
  return { isSafe: () => rmSync(file, { force: true }) };
}
