/** What is common to starting any program: who runs it, and how a failure to start it reads. */
import { existsSync } from 'node:fs';
import { UnderstudyError } from '../errors/understudy-error.ts';

/** Run as another user; only root may ask for it. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** The whole environment; nothing is inherited besides. Default: this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: RunAs;
}

/** Options of node:child_process that are the same for every start. Never a shell. */
export function spawnOptions(options: ProgramOptions) {
  return {
    shell: false,
    // Its own session: a terminal's Ctrl-C is the agent's to handle, and the whole group can be ended together.
    detached: true,
    windowsHide: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
    ...(options.user === undefined ? {} : { uid: options.user.uid, gid: options.user.gid }),
  } as const;
}

/** A start that failed, with the missing thing named: node says ENOENT for a missing directory too. */
export function startFailure(file: string, options: ProgramOptions, cause: unknown): UnderstudyError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ENOENT' && options.cwd !== undefined && !existsSync(options.cwd)) {
    return new UnderstudyError('PROCESS_FAILED', `can't start ${file}: no directory ${options.cwd}`, { cause });
  }
  if (code === 'ENOENT') {
    return new UnderstudyError('PROCESS_FAILED', `no program ${file}`, { cause, hint: 'install it, or name its path' });
  }
  if (code === 'EACCES') return new UnderstudyError('PROCESS_FAILED', `${file} may not be executed`, { cause });
  return new UnderstudyError('PROCESS_FAILED', `can't start ${file}`, { cause });
}
