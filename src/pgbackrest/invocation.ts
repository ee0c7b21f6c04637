/**
 * Runs one pgBackRest command.
 *
 * Invariant: what runs has ended when the call settles, and ends with this process, whatever ends that: the kernel kills it with
 * its parent (setpriv --pdeathsig), and its workers end when their pipe does. Nothing of this process's environment
 * reaches it, since every option of pgBackRest can be given there (`PGBACKREST_...`).
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { idly } from '../process/idle.ts';
import { type Joinable, type Joined, join } from '../process/joined.ts';
import { run } from '../process/run.ts';

export interface CommandResult {
  /** `null`: a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Invocation extends ActOptions {
  readonly onStdout?: (chunk: string) => void;
  /** All that it says is wanted, up to so much; without it the end of its output is enough. */
  readonly wholeUpToBytes?: number;
  /** Behind everything else on the machine. */
  readonly isIdle?: boolean;
}

export interface Invoker {
  /** Throws PROCESS_FAILED when it can't be started or was cancelled, TIMEOUT; BACKUP_FAILED beyond `wholeUpToBytes`. */
  run(command: string, options: readonly string[], invocation: Invocation): Promise<CommandResult>;
  /** Its input and output are the connection, and either ends with the other. Throws PROCESS_FAILED when it can't be started. */
  join(command: string, options: readonly string[], connection: Joinable, bounds: ActOptions): Promise<Joined>;
}

// Labels of backups are local times, and have to grow from host to host.
const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

export function createInvoker(places: {
  readonly program: string;
  readonly parentWatch: string | null;
  readonly configuration: string;
  readonly stanza: string;
}): Invoker {
  const start = places.parentWatch === null ? [] : [places.parentWatch, '--pdeathsig', 'KILL'];
  const words = (command: string, options: readonly string[]): readonly string[] => [
    ...[...start, places.program, `--config=${places.configuration}`, `--stanza=${places.stanza}`],
    ...[command, ...options],
  ];
  return {
    async join(command, options, connection, bounds) {
      const [file = places.program, ...args] = words(command, options);
      return await join(file, args, connection, { ...bounds, env: environment, cwd: '/' });
    },
    async run(command, options, { isIdle, onStdout, wholeUpToBytes, ...bounds }) {
      const whole = [...(isIdle === true ? idly() : []), ...words(command, options)];
      const [file = places.program, ...args] = whole;
      const { code, stdout, stderr, truncated } = await run(file, args, {
        ...bounds,
        env: environment,
        cwd: '/',
        anyExit: true,
        ...(onStdout === undefined ? {} : { onStdout }),
        ...(wholeUpToBytes === undefined ? {} : { maxOutputBytes: wholeUpToBytes }),
      });
      if (truncated && wholeUpToBytes !== undefined) {
        const most = `${Math.floor(wholeUpToBytes / 1_048_576)} MB`;
        throw new UnderstudyError('BACKUP_FAILED', `pgbackrest ${command} said more than ${most}: it can't be read`);
      }
      return { code, stdout, stderr };
    },
  };
}
