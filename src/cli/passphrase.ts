/**
 * Has a passphrase said: at the terminal, unseen and twice where it is new; or in a file, or on a file descriptor, for scripts. Never
 * as an argument, which everybody on the machine can read.
 */
import { readFileSync } from 'node:fs';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';

export interface PassphraseOptions {
  readonly passphraseFile?: string;
  readonly passphraseFd?: number;
}

/** Its first line. Throws REQUEST_INVALID where nobody can be asked, or the two differ; CONFIG_UNREADABLE. */
export async function newPassphrase(call: Call, options: PassphraseOptions): Promise<string> {
  const { passphraseFd: fd, passphraseFile: file } = options;
  if (fd !== undefined || file !== undefined) return firstLineOf(fd ?? file ?? 0, call);
  const askSecret = secretSaid(call);
  const first = await askSecret('Passphrase for the keys of the authority: ', call.signal);
  const second = await askSecret('The same again: ', call.signal);
  if (first !== second) throw new UnderstudyError('REQUEST_INVALID', 'the two differ; nothing was written');
  return first;
}

/** Of keys that are there: asked for once. Throws as `newPassphrase`. */
export async function knownPassphrase(call: Call, options: PassphraseOptions): Promise<string> {
  const { passphraseFd: fd, passphraseFile: file } = options;
  if (fd !== undefined || file !== undefined) return firstLineOf(fd ?? file ?? 0, call);
  return await secretSaid(call)('Passphrase of the authority: ', call.signal);
}

/** Throws REQUEST_INVALID. */
function secretSaid(call: Call): NonNullable<Call['io']['askSecret']> {
  const { askSecret } = call.io;
  if (askSecret !== undefined && !call.terminal.json) return askSecret;
  throw new UnderstudyError('REQUEST_INVALID', 'a passphrase is needed, and nobody can be asked here', {
    hint: 'give --passphrase-file FILE or --passphrase-fd NUMBER',
  });
}

function firstLineOf(place: number | string, call: Call): string {
  try {
    const path = typeof place === 'number' || place.startsWith('/') ? place : `${call.io.cwd}/${place}`;
    return readFileSync(path, 'utf8').split('\n')[0] ?? '';
  } catch (cause) {
    throw new UnderstudyError('CONFIG_UNREADABLE', `the passphrase can't be read: ${describeError(cause)}`, { cause });
  }
}
