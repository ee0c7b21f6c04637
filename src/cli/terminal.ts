/**
 * Where a verb writes: lines to standard output, troubles to standard error, colours only where a person looks.
 *
 * Invariant: with `--json` nothing but JSON goes to either stream.
 */
import { styleText } from 'node:util';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';

/** `asked`: Ctrl-C or SIGTERM. `hung-up`: the terminal was closed, or whoever read our output has gone. */
export type Interruptor = 'asked' | 'hung-up';

/** What of a stream is needed here; `process.stdout` is one. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface CliIo {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reading it throws REQUEST_INVALID when that directory was removed. */
  readonly cwd: string;
  /** The running bundle: a stage's agents run a copy of it. Without it no stage can be started. */
  readonly program?: string;
  /** Puts a question to whoever sits at the terminal; absent where nobody does. The signal ends the wait with its reason. */
  readonly ask?: ((question: string, signal: AbortSignal) => Promise<string>) | undefined;
  /** The same, and what is typed is not shown. */
  readonly askSecret?: ((question: string, signal: AbortSignal) => Promise<string>) | undefined;
  /** Calls back at each interruption until the answered function is called; without it Ctrl-C ends the process. */
  readonly onInterrupt?: (listener: (how: Interruptor) => void) => () => void;
}

export type Tone = 'green' | 'yellow' | 'red' | 'bold' | 'dim';
export type Paint = (tone: Tone, text: string) => string;

export const plain: Paint = (_, text) => text;

export interface Terminal {
  readonly json: boolean;
  /** A person looks at standard output, so that lines may be drawn over. */
  readonly live: boolean;
  readonly columns: number;
  readonly paint: Paint;
  print(...lines: readonly string[]): void;
  /** Without a line's end. */
  raw(text: string): void;
  printJson(value: unknown): void;
  /** To standard error, also with `--json`. */
  note(text: string): void;
  fail(error: unknown): void;
}

/** NO_COLOR (no-color.org), TERM=dumb and FORCE_COLOR as Node's own tools read them. */
export function paintsFor(output: Output, env: CliIo['env']): Paint {
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '' && env.FORCE_COLOR !== '0';
  const refused = (env.NO_COLOR !== undefined && env.NO_COLOR !== '') || env.TERM === 'dumb';
  const coloured = forced || (output.isTTY === true && !refused);
  // Whether this stream shows colours was found just now, by the environment that was handed in.
  return coloured ? (tone, text) => styleText(tone, text, { validateStream: false }) : plain;
}

export function createTerminal(io: CliIo, json: boolean): Terminal {
  const { stdout, stderr, env } = io;
  const paint = json ? plain : paintsFor(stdout, env);
  const paintError = json ? plain : paintsFor(stderr, env);
  return {
    json,
    live: stdout.isTTY === true && !json && env.TERM !== 'dumb',
    columns: stdout.columns ?? 80,
    paint,
    print(...lines) {
      stdout.write(`${lines.join('\n')}\n`);
    },
    raw(text) {
      stdout.write(text);
    },
    printJson(value) {
      stdout.write(`${JSON.stringify(value)}\n`);
    },
    note(text) {
      stderr.write(json ? `${JSON.stringify({ note: text })}\n` : `understudy: ${text}\n`);
    },
    fail(error) {
      stderr.write(json ? `${JSON.stringify(errorAsJson(error))}\n` : errorAsText(error, paintError));
    },
  };
}

function errorAsText(error: unknown, paint: Paint): string {
  const text = `${paint('red', 'understudy:')} ${describeError(error)}\n`;
  return isUnderstudyError(error) ? `${text}${paint('dim', 'hint:')} ${error.hint}\n` : text;
}

export function errorAsJson(error: unknown) {
  const message = describeError(error);
  if (!isUnderstudyError(error)) return { code: 'UNEXPECTED', message, hint: 'please report it', retry: 'never' };
  return { code: error.code, message, hint: error.hint, retry: error.retry };
}

/** Commander says `error: what is wrong`, and on a second line what it takes to be meant. */
export function usageFailure(message: string): UnderstudyError {
  const [first = '', ...more] = message.split('\n');
  const suggestion = more
    .join(' ')
    .replace(/^\((.*)\)$/, '$1')
    .replace('Did you mean', 'did you mean')
    .trim();
  const hint =
    suggestion === '' ? 'understudy --help shows every verb, understudy VERB --help its options' : suggestion;
  return new UnderstudyError('REQUEST_INVALID', first.replace(/^error: /, ''), { hint });
}
