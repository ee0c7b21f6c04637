/**
 * Runs what takes up a new certificate: a program with its arguments, or one local file.
 *
 * Invariant: never a shell; nothing is inherited but a fixed environment; it ends within its time. What is run belongs to root
 * and nobody else may write it, on every step of its path: whoever can declare a hook, or write beside this agent, gets no
 * program of his own run by it.
 */
import { lstatSync, realpathSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ReloadHook } from '../core/spec.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import { run } from '../process/run.ts';

const withinMs = 30_000;
const path = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const executable = 0o111;
const writableByOthers = 0o022;

/** `facts`: of a path, without following a link; `null`: nothing is there. */
export interface Looks {
  readonly facts: (path: string) => Pick<Stats, 'uid' | 'mode' | 'isFile' | 'isDirectory' | 'isSymbolicLink'> | null;
  /** Throws when it leads nowhere. */
  readonly real: (path: string) => string;
}

const machine: Looks = {
  facts: (file) => lstatSync(file, { throwIfNoEntry: false }) ?? null,
  real: (file) => realpathSync(file),
};

/** Throws CONFIG_INVALID for a hook that must not be run, PROCESS_FAILED, TIMEOUT. */
export async function runReloadHook(hook: ReloadHook, certificate: string, files: string): Promise<void> {
  if (hook === null) return;
  const [program, ...args] = typeof hook === 'string' ? [hook] : hook;
  const found = program === undefined ? null : findProgram(program);
  if (program === undefined || found === null) throw refused(program ?? '', 'is in none of the usual directories');
  const wrong = whyNotRun(found);
  if (wrong !== null) throw refused(found, wrong);
  const env = {
    PATH: path.join(':'),
    LANG: 'C.UTF-8',
    UNDERSTUDY_CERTIFICATE: certificate,
    UNDERSTUDY_CERTIFICATE_FILES: files,
  };
  await run(found, args, { withinMs, env, cwd: '/', maxOutputBytes: 16_384 });
}

/** `null`: it may be run. */
export function whyNotRun(program: string, looks: Looks = machine): string | null {
  if (!program.startsWith('/')) return 'is no absolute path';
  let real: string;
  try {
    real = looks.real(program);
  } catch (error) {
    return `leads nowhere: ${describeError(error)}`;
  }
  const steps = [...new Set([...stepsOf(program), ...stepsOf(real)])];
  for (const step of steps) {
    const wrong = whyForeign(step, looks);
    if (wrong !== null) return step === program ? wrong : `can't be trusted: ${step} ${wrong}`;
  }
  const facts = looks.facts(real);
  if (facts?.isFile() !== true) return 'is no file';
  return (facts.mode & executable) === 0 ? 'is not executable' : null;
}

function whyForeign(step: string, { facts: look }: Looks): string | null {
  const facts = look(step);
  if (facts === null) return 'is not there';
  if (facts.uid !== 0) return `belongs to user ${facts.uid}, not to root`;
  // What a link's own mode says means nothing (symlink(7)); who may replace it is the directory's affair.
  return facts.isSymbolicLink() || (facts.mode & writableByOthers) === 0 ? null : 'can be written by others than root';
}

/** From the top down to itself. */
function stepsOf(file: string): readonly string[] {
  const above = dirname(file);
  return above === file ? [file] : [...stepsOf(above), file];
}

function findProgram(program: string): string | null {
  if (program.includes('/')) return program;
  return path.map((directory) => join(directory, program)).find((file) => machine.facts(file) !== null) ?? null;
}

function refused(program: string, because: string): UnderstudyError {
  return new UnderstudyError('CONFIG_INVALID', `the reload hook ${JSON.stringify(program)} ${because}`, {
    hint: 'a program of root, which nobody else may write, in directories of root',
  });
}
