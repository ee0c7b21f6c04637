/**
 * Has a secret said: at the terminal, unseen; or in a file, or on standard input, for scripts. Never as an argument, which everybody
 * on the machine can read.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';

export interface SecretAsked {
  /** `-`: standard input. `undefined`: whoever sits at the terminal is asked. */
  readonly file: string | undefined;
  readonly option: string;
  readonly what: string;
}

/** Its first line. Throws REQUEST_INVALID where nobody can be asked; CONFIG_UNREADABLE. */
export async function secretFrom(call: Call, { file, option, what }: SecretAsked): Promise<string> {
  if (file !== undefined) return firstLine(call, file, what);
  const { askSecret } = call.io;
  if (askSecret === undefined || call.terminal.json) {
    throw new UnderstudyError('REQUEST_INVALID', `the ${what} is needed, and nobody can be asked here`, {
      hint: `give ${option} FILE, or ${option} - for standard input`,
    });
  }
  return (await askSecret(`The ${what}: `, call.signal)).trim();
}

function firstLine(call: Call, file: string, what: string): string {
  try {
    const text = readFileSync(file === '-' ? 0 : resolve(call.io.cwd, file), 'utf8');
    return (text.split('\n')[0] ?? '').trim();
  } catch (cause) {
    throw new UnderstudyError('CONFIG_UNREADABLE', `the ${what} can't be read: ${describeError(cause)}`, { cause });
  }
}
