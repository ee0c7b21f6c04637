/**
 * A command that a person could type: what is printed is what is performed.
 *
 * Invariant: no shell takes part in performing it; what is printed is quoted so that a shell reads the same words.
 */
import { run } from '../process/run.ts';
import type { Account } from './place.ts';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** As whom, when root performs it. */
  readonly as: Account | null;
  /** Its failure changes nothing that matters. */
  readonly mayFail?: boolean;
}

const withinMs = 120_000;

export function commandText({ program, args, as }: Command): string {
  const words = [program, ...args].map(quoted).join(' ');
  return as === null ? words : `runuser -u ${quoted(as.name)} -- ${words}`;
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Throws PROCESS_FAILED with its last words. */
export async function perform({ program, args, as, mayFail }: Command, signal: AbortSignal): Promise<string> {
  const user = as === null ? {} : { user: { uid: as.uid, gid: as.gid } };
  const { stdout } = await run(program, args, { withinMs, signal, cwd: '/', anyExit: mayFail === true, ...user });
  return stdout;
}
