/** The program: hands the process's own streams, environment and signals to the command line. */
import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { runCli } from './run-cli.ts';
import type { Interruptor } from './terminal.ts';

const listeners = new Set<(how: Interruptor) => void>();

function tell(how: Interruptor): void {
  for (const listener of [...listeners]) listener(how);
}

/** Only while somebody listens: otherwise a signal does what it does to any process. */
function listen(listener: (how: Interruptor) => void): () => void {
  const asked = (): void => listener('asked');
  const hungUp = (): void => listener('hung-up');
  listeners.add(listener);
  process.on('SIGINT', asked).on('SIGTERM', asked).on('SIGHUP', hungUp);
  return () => {
    listeners.delete(listener);
    process.off('SIGINT', asked).off('SIGTERM', asked).off('SIGHUP', hungUp);
  };
}

async function ask(question: string, signal: AbortSignal): Promise<string> {
  // Not as a terminal of its own: there Ctrl-C would be a key like any other, and end nothing.
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: false });
  try {
    // The end of the input is an answer, too: nobody typed anything.
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    return await Promise.race([lines.question(question, { signal }), ended]);
  } finally {
    lines.close();
  }
}

// A reader that went away (`understudy events | head`), or a terminal that was closed: a verb without an end shall find one.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    tell('hung-up');
  });
}

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  program: fileURLToPath(import.meta.url),
  ask: process.stdin.isTTY ? ask : undefined,
  onInterrupt: listen,
});
