/**
 * Runs a program to its end.
 *
 * Invariant: when the promise settles, the program and everything of its process group has ended or was sent SIGKILL.
 * It settles also when SIGKILL ends nothing, as with a process that waits for a disk that hangs: that one is left behind.
 * Output is kept within bounds (its end, where errors are). Refuses shells: a program and its argument vector only.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type ProgramOptions, spawnOptions, startFailure } from './program.ts';

export interface RunOptions extends ProgramOptions {
  readonly withinMs: number;
  readonly signal?: AbortSignal;
  /** Written to its standard input, which is then closed. */
  readonly input?: string | Uint8Array;
  /** An open file that is its standard input instead. The caller closes it. */
  readonly inputFrom?: number;
  /** An open file that takes its standard output; none of it is kept here then. The caller closes it. */
  readonly outputTo?: number;
  /** How much of the end of each output is kept, in bytes; 1 MiB by default. */
  readonly maxOutputBytes?: number;
  /** Called with each piece of output as it comes. */
  readonly onStdout?: (chunk: string) => void;
  readonly onStderr?: (chunk: string) => void;
  /** Answer with the exit code instead of throwing when it is not 0. */
  readonly anyExit?: boolean;
}

export interface RunResult {
  /** `null` when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The beginning of an output was dropped. */
  readonly truncated: boolean;
}

/** Between SIGTERM and SIGKILL: enough for a program to remove its temporary files. */
const graceMs = 1_000;
/** After SIGKILL: what lives on then waits in the kernel, and nobody knows for how long. */
const abandonMs = 500;

class Capture {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #size = 0;
  truncated = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    // Compacted at twice the limit, so that each byte is copied once on average.
    if (this.#size > 2 * this.#limit) this.#compact();
  }

  text(): string {
    this.#compact();
    return Buffer.concat(this.#chunks).toString('utf8');
  }

  #compact(): void {
    if (this.#size <= this.#limit) return;
    this.#chunks = [Buffer.concat(this.#chunks).subarray(-this.#limit)];
    this.#size = this.#limit;
    this.truncated = true;
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    // The group has the leader's id; it exists as long as one member lives.
    process.kill(-child.pid, signal);
  } catch {
    // ESRCH: everybody has ended
  }
}

function lastLines(text: string, count: number): string {
  return text.trim().split('\n').slice(-count).join('\n');
}

function failure(file: string, result: RunResult): UnderstudyError {
  const ending = result.signal === null ? `exit code ${result.code}` : `signal ${result.signal}`;
  const output = lastLines(result.stderr.trim() === '' ? result.stdout : result.stderr, 10);
  return new UnderstudyError('PROCESS_FAILED', `${file} ended with ${ending}${output === '' ? '' : `: ${output}`}`);
}

/**
 * Ends the program when its time is over or the caller cancels; `stopped` then has the reason. `abandon` is called with it
 * when the program can't be ended.
 */
function superviseEnd(
  child: ChildProcess,
  file: string,
  options: RunOptions,
  abandon: (reason: UnderstudyError) => void,
) {
  let stopped: UnderstudyError | null = null;
  let killer: NodeJS.Timeout | undefined;
  const end = (reason: UnderstudyError): void => {
    if (stopped !== null) return;
    stopped = reason;
    signalGroup(child, 'SIGTERM');
    // A stopped process takes no SIGTERM before it is continued.
    signalGroup(child, 'SIGCONT');
    killer = setTimeout(() => {
      signalGroup(child, 'SIGKILL');
      // Something outside the group may hold the pipes open: don't wait for it.
      child.stdout?.destroy();
      child.stderr?.destroy();
      killer = setTimeout(() => abandon(reason), abandonMs);
    }, graceMs);
  };
  const timer = setTimeout(
    () => end(new UnderstudyError('TIMEOUT', `${file} did not end within ${options.withinMs} ms`)),
    options.withinMs,
  );
  const cancel = (): void =>
    end(new UnderstudyError('PROCESS_FAILED', `${file} was cancelled`, { cause: options.signal?.reason }));
  options.signal?.addEventListener('abort', cancel, { once: true });
  return {
    reason: () => stopped,
    release: () => {
      clearTimeout(timer);
      clearTimeout(killer);
      options.signal?.removeEventListener('abort', cancel);
      // It left before its children did, and nobody waits for those any more.
      if (stopped !== null) signalGroup(child, 'SIGKILL');
    },
  };
}

function start(file: string, args: readonly string[], options: RunOptions): ChildProcess {
  const { inputFrom, outputTo } = options;
  return spawn(file, [...args], { ...spawnOptions(options), stdio: [inputFrom ?? 'pipe', outputTo ?? 'pipe', 'pipe'] });
}

/**
 * Throws PROCESS_FAILED when it can't be started, is cancelled, or ends with another code than 0 (unless `anyExit`);
 * TIMEOUT when it was ended for taking longer than `withinMs`; it may take 1.5 s more to end it, or to give that up.
 */
export function run(file: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  if (options.signal?.aborted === true) {
    return Promise.reject(
      new UnderstudyError('PROCESS_FAILED', `${file} was cancelled`, { cause: options.signal.reason }),
    );
  }
  const limit = options.maxOutputBytes ?? 1024 * 1024;
  const stdout = new Capture(limit);
  const stderr = new Capture(limit);
  return new Promise((resolve, reject) => {
    let child: ChildProcess;
    try {
      child = start(file, args, options);
    } catch (error) {
      reject(startFailure(file, options, error)); // a bad argument, such as a NUL byte
      return;
    }
    const supervision = superviseEnd(child, file, options, (reason) => {
      supervision.release();
      child.stdin?.destroy();
      child.unref();
      reject(reason);
    });
    child.once('error', (error) => {
      if (child.pid !== undefined) return; // a failed kill, not a failed start
      supervision.release();
      reject(startFailure(file, options, error));
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout.add(chunk);
      options.onStdout?.(chunk.toString('utf8'));
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr.add(chunk);
      options.onStderr?.(chunk.toString('utf8'));
    });
    child.stdin?.on('error', () => undefined); // it ended without reading its input
    child.stdin?.end(options.input ?? '');
    child.once('close', (code, signal) => {
      supervision.release();
      const stopped = supervision.reason();
      const result = {
        code,
        signal,
        stdout: stdout.text(),
        stderr: stderr.text(),
        truncated: stdout.truncated || stderr.truncated,
      };
      if (stopped !== null) reject(stopped);
      else if (code !== 0 && options.anyExit !== true) reject(failure(file, result));
      else resolve(result);
    });
  });
}
