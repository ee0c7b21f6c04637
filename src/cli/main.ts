/** The program: hands the process's own streams, environment and signals to the command line. */
import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { exitCodes } from '../errors/exit-codes.ts';
import { runCli } from './run-cli.ts';
import type { Interruptor } from './terminal.ts';
import { workingDirectory } from './working-directory.ts';

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

/** In raw mode nothing is shown, and Ctrl-C is a key like any other: it is passed on as what it means. */
function askSecret(question: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.resume();
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (): void => {
      stdin.off('data', take);
      signal.removeEventListener('abort', cancel);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
    };
    const cancel = (): void => {
      end();
      reject(signal.reason);
    };
    const take = (chunk: Buffer): void => {
      for (const key of chunk.toString('utf8')) {
        if (key === '\r' || key === '\n' || key === '\u0004') {
          end();
          resolve(typed);
          return;
        }
        if (key === '\u0003') tell('asked');
        else if (key === '\u007f' || key === '\b') typed = [...typed].slice(0, -1).join('');
        else if (key >= ' ') typed += key;
      }
    };
    stdin.on('data', take);
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
  });
}

// A reader that went away (`understudy events | head`), a terminal that was closed, or a full disk under a log: a verb
// without an end shall find one, and one that has begun something brings it to its end.
let isLost = false;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    tell('hung-up');
    if (error.code === 'EPIPE' || error.code === 'EIO' || isLost) return;
    isLost = true;
    process.exitCode ||= exitCodes.failed;
    if (stream === process.stdout) process.stderr.write(`understudy: the output can't be written: ${error.message}\n`);
  });
}

const exit = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  get cwd() {
    return workingDirectory();
  },
  program: fileURLToPath(import.meta.url),
  ask: process.stdin.isTTY ? ask : undefined,
  askSecret: process.stdin.isTTY ? askSecret : undefined,
  onInterrupt: listen,
});
// What was to be told is lost, however well it was done.
process.exitCode = exit === exitCodes.done && isLost ? exitCodes.failed : exit;
