/** Gives the secret of the repository: credentials from a file, and a passphrase that is there, given, or made and shown once. */
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
  'Keep it where the servers are not: without it nothing in the repository can be read. It is shown this once.';

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
  const { sealedTo } = await access.order(
    (client, asking) => client.giveRepositorySecret(request, asking),
    orderWithinMs,
  );
  if (terminal.json) terminal.printJson({ sealedTo, passphrase: made });
  else {
    terminal.print(`Sealed to ${sealedTo.join(', ')}.`);
    if (made !== null) terminal.print('', `  ${made}`, '', keepIt);
  }
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

/** Shows the passphrase that was made, also when something fails later. */
export async function giveFirstSecret(
  { terminal }: Call,
  access: ClusterAccess,
  { credentials, passphrase }: FirstSecret,
): Promise<void> {
  const request = { credentials, passphrase, replaces: false };
  await access.order((client, asking) => client.giveRepositorySecret(request, asking), orderWithinMs);
  if (!terminal.json) terminal.print('The passphrase of the backups:', '', `  ${passphrase}`, '', keepIt, '');
}
