/**
 * What a verb is given for one call: where to write, the cluster on demand, and a signal that Ctrl-C fires.
 *
 * Invariant: what was opened is closed when the verb ends, however it ends. What is heavy is loaded when first needed, so
 * that `version` and `--help` are quick.
 */
import { exitCodes } from '../errors/exit-codes.ts';
import type { ClusterAccess } from './cluster-access.ts';
import type { Context } from './context.ts';
import { type CliIo, createTerminal, type Terminal } from './terminal.ts';

export interface CommonOptions {
  readonly json?: boolean;
  readonly context?: string;
}

export interface Call {
  readonly io: CliIo;
  readonly terminal: Terminal;
  /** Fires at Ctrl-C, unless the verb takes it. */
  readonly signal: AbortSignal;
  context(): Promise<Context>;
  cluster(): Promise<ClusterAccess>;
  /** Ends early, without an error, when the signal fires. */
  sleep(ms: number): Promise<void>;
  /** From now on Ctrl-C calls this instead. */
  takeInterrupts(listener: () => void): void;
}

/** Carries out one verb; what it answers becomes the exit code. */
export type Perform = (options: CommonOptions, verb: (call: Call) => Promise<number>) => Promise<void>;

export async function withCall(
  io: CliIo,
  options: CommonOptions,
  verb: (call: Call) => Promise<number>,
): Promise<number> {
  const interrupted = new AbortController();
  const terminal = createTerminal(io, options.json === true);
  let isTaken = false;
  let listener = (): void => interrupted.abort(new Error('interrupted'));
  const release = io.onInterrupt?.((how) => {
    // Nobody asked for anything: a verb that takes Ctrl-C goes on to its end, unseen.
    if (how === 'asked' || !isTaken) listener();
  });
  const opened: { access?: Promise<ClusterAccess> } = {};
  const context = async (): Promise<Context> => {
    const { loadContext } = await import('./context.ts');
    return loadContext({ named: options.context, io });
  };
  const open = async (): Promise<ClusterAccess> => {
    const { ClusterAccess } = await import('./cluster-access.ts');
    return await ClusterAccess.open(await context(), interrupted.signal);
  };
  const call: Call = {
    io,
    terminal,
    signal: interrupted.signal,
    context,
    cluster() {
      opened.access ??= open();
      return opened.access;
    },
    sleep: (ms) => sleep(ms, interrupted.signal),
    takeInterrupts(next) {
      isTaken = true;
      listener = next;
    },
  };
  try {
    return await verb(call);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    terminal.note('interrupted');
    return exitCodes.failed;
  } finally {
    release?.();
    // One that could not be opened was told already.
    (await opened.access?.catch(() => null))?.close();
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
