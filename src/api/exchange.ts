/**
 * One request and its answer, or a stream of lines, with a deadline, and checked.
 *
 * Invariant: whatever comes back is of the shape asked for, or an `UnderstudyError`: the peer's own, AGENT_UNREACHABLE,
 * CERTIFICATE_REFUSED, or ANSWER_INVALID when it makes no sense.
 */
import { type IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Connection } from './connection.ts';
import { describeIssues } from './failure.ts';
import { LineReader } from './line-reader.ts';
import { errorAnswer, isErrorCode } from './schemas/failure.ts';

export interface Ask {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Of a whole answer. */
const answerLimitBytes = 16 * 1024 * 1024;
const lineLimitBytes = 4 * 1024 * 1024;

export interface ExchangeOptions {
  readonly withinMs: number;
  readonly signal?: AbortSignal | undefined;
}

export async function exchange<T>(
  connection: Connection,
  ask: Ask,
  parse: (value: unknown) => T,
  options: ExchangeOptions,
): Promise<T> {
  return checked(await exchangeText(connection, ask, options), parse);
}

/** For answers of many lines. */
export async function exchangeLines<T>(
  connection: Connection,
  ask: Ask,
  parse: (value: unknown) => T,
  options: ExchangeOptions,
): Promise<readonly T[]> {
  const text = await exchangeText(connection, ask, options);
  return text.split('\n').flatMap((line) => (line === '' ? [] : [checked(line, parse)]));
}

async function exchangeText(connection: Connection, ask: Ask, options: ExchangeOptions): Promise<string> {
  const deadline = new Deadline(options.withinMs, `did not answer within ${options.withinMs} ms`, options.signal);
  try {
    const response = await connection.send(outgoing(ask, deadline.signal));
    const text = await readText(connection, response, deadline.signal);
    if (response.statusCode !== 200) throw refusalIn(response.statusCode, text);
    return text;
  } finally {
    deadline.release();
  }
}

/**
 * Calls back with each line, until the signal fires: then it returns. Throws when the stream can't be had, breaks, ends,
 * or is silent for `silenceMs`.
 */
export async function follow<T>(
  connection: Connection,
  ask: Ask,
  parse: (value: unknown) => T,
  onValue: (value: T) => void,
  options: { readonly silenceMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const { signal, silenceMs } = options;
  const deadline = new Deadline(silenceMs, `was silent for ${silenceMs} ms`, signal);
  try {
    const response = await connection.send(outgoing(ask, deadline.signal));
    if (response.statusCode !== 200) {
      throw refusalIn(response.statusCode, await readText(connection, response, deadline.signal));
    }
    const reader = new LineReader(lineLimitBytes, (line) => {
      const value = checked(line, parse);
      if (!signal.aborted) onValue(value);
    });
    await readLines(connection, response, reader, deadline);
    throw connection.failure(new Error('the stream ended'), deadline.signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    deadline.release();
  }
}

/** The connection itself, upgraded, and what the head says; the time and the signal are of the asking alone. */
export async function handOver<T>(
  connection: Connection,
  ask: Pick<Ask, 'method' | 'path'>,
  protocol: string,
  parse: (headers: IncomingHttpHeaders) => T,
  options: ExchangeOptions,
): Promise<{ readonly socket: Duplex; readonly said: T }> {
  const deadline = new Deadline(options.withinMs, `did not answer within ${options.withinMs} ms`, options.signal);
  try {
    const answered = await connection.upgrade({ ...ask, signal: deadline.signal }, protocol);
    if (answered instanceof IncomingMessage) {
      throw refusalIn(answered.statusCode, await readText(connection, answered, deadline.signal));
    }
    const { headers, socket } = answered;
    try {
      return { socket, said: parse(headers) };
    } catch (error) {
      socket.destroy();
      throw invalid(describeError(error), error);
    }
  } finally {
    deadline.release();
  }
}

/** A signal that fires when the time is over or the caller cancels. (AbortSignal.any leaks with a long-lived signal.) */
class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal | undefined;
  readonly #cancel = (): void => this.#controller.abort(new Error('was no longer asked'));

  constructor(withinMs: number, because: string, outer: AbortSignal | undefined) {
    this.#timer = setTimeout(() => this.#controller.abort(new Error(because)), withinMs);
    this.#outer = outer;
    if (outer?.aborted === true) this.#cancel();
    else outer?.addEventListener('abort', this.#cancel, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The time begins anew. */
  refresh(): void {
    this.#timer.refresh();
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#cancel);
  }
}

function outgoing({ body, headers, method, path }: Ask, signal: AbortSignal) {
  return {
    method,
    path,
    signal,
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
}

function readLines(
  connection: Connection,
  response: IncomingMessage,
  reader: LineReader,
  deadline: Deadline,
): Promise<void> {
  return new Promise((resolve, reject) => {
    response.on('data', (chunk: Buffer) => {
      deadline.refresh();
      try {
        reader.push(chunk);
      } catch (error) {
        response.destroy();
        reject(isUnderstudyError(error) ? error : invalid(describeError(error), error));
      }
    });
    response.on('end', resolve);
    response.on('error', (error) => reject(connection.failure(error, deadline.signal)));
    response.on('close', resolve);
  });
}

async function readText(connection: Connection, response: IncomingMessage, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const pieces: AsyncIterable<Buffer> = response;
  try {
    for await (const chunk of pieces) {
      size += chunk.length;
      if (size > answerLimitBytes) throw invalid('the answer is too long');
      chunks.push(chunk);
    }
  } catch (error) {
    throw isUnderstudyError(error) ? error : connection.failure(error, signal);
  }
  return Buffer.concat(chunks, size).toString('utf8');
}

function checked<T>(text: string, parse: (value: unknown) => T): T {
  try {
    const value: unknown = JSON.parse(text);
    return parse(value);
  } catch (error) {
    throw invalid(error instanceof z.ZodError ? describeIssues(error) : describeError(error), error);
  }
}

function refusalIn(status: number | undefined, text: string): UnderstudyError {
  const answer = checked(text, (value) => errorAnswer.parse(value));
  const { code, hint, message } = answer;
  if (!isErrorCode(code)) return invalid(`${message} (${code}, status ${status})`);
  return new UnderstudyError(code, message, { hint });
}

function invalid(message: string, cause?: unknown): UnderstudyError {
  return new UnderstudyError('ANSWER_INVALID', `the agent's answer was not understood: ${message}`, { cause });
}
