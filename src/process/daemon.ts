/**
 * Starts a program that outlives this one: its own session, no pipe to us, output appended to a log file.
 *
 * Does not wait for readiness, which only the caller can tell, and never ends what it started.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { identify, type ProcessIdentity } from './identity.ts';
import { type ProgramOptions, spawnOptions, startFailure } from './program.ts';

export interface DaemonExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Daemon extends ProcessIdentity {
  /** Settles when it ends while this process still lives; never rejects. */
  readonly exited: Promise<DaemonExit>;
}

export interface DaemonOptions extends ProgramOptions {
  /** Opened for appending, made with mode 0600 when missing. */
  readonly logFile: string;
}

/** Throws PROCESS_FAILED when it can't be started. */
export function startDaemon(file: string, args: readonly string[], options: DaemonOptions): Promise<Daemon> {
  return new Promise((resolve, reject) => {
    let log: number;
    try {
      log = openSync(options.logFile, 'a', 0o600);
    } catch (error) {
      reject(new UnderstudyError('PROCESS_FAILED', `can't write the log file ${options.logFile}`, { cause: error }));
      return;
    }
    try {
      const child = spawn(file, [...args], { ...spawnOptions(options), stdio: ['ignore', log, log] });
      const exited = new Promise<DaemonExit>((settle) => {
        child.once('exit', (code, signal) => settle({ code, signal }));
      });
      child.once('error', (error) => reject(startFailure(file, options, error)));
      child.once('spawn', () => {
        child.unref();
        const pid = child.pid ?? 0;
        // Ended already: the exit tells how; a start time that never matches keeps signals from strangers.
        resolve({ ...(identify(pid) ?? { pid, startTicks: -1 }), exited });
      });
    } catch (error) {
      reject(startFailure(file, options, error));
    } finally {
      closeSync(log);
    }
  });
}
