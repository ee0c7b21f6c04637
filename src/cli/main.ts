/** The program: hands the process's own streams, environment and signals to the command line. */
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { runCli } from './run-cli.ts';

// A reader that went away (`understudy events | head`) is no trouble of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  program: fileURLToPath(import.meta.url),
  onInterrupt(listener) {
    const heard = (): void => listener();
    const signals = ['SIGINT', 'SIGTERM'] as const;
    for (const signal of signals) process.on(signal, heard);
    return () => {
      for (const signal of signals) process.off(signal, heard);
    };
  },
});
