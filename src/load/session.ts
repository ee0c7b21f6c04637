/**
 * One connection of a writer.
 *
 * Invariant: every wait has a deadline, and whatever does not end in time costs the connection, so that no late answer is
 * taken for that of a later statement. Repeats nothing and connects once: what to do after a failure is for the writer,
 * who knows what had been sent.
 */
import { Client, type ClientConfig, type QueryResult } from 'pg';
import { withDeadline } from '../timing/deadline.ts';
import { ConnectionEnded, isServerError } from './ending.ts';

export interface Answer {
  readonly rows: readonly unknown[];
  readonly rowCount: number;
  /** `INSERT`, `COMMIT`; of several statements the last. */
  readonly command: string;
}

/** What a transaction needs of a connection. */
export interface Session {
  /** Throws what the server or the pooler answered, TIMEOUT, what befell the connection, or ConnectionEnded. */
  query(text: string, values?: readonly unknown[]): Promise<Answer>;
  isOpen(): boolean;
  /** How many warnings came so far. */
  warnings(): number;
  /** At once, without a goodbye: a frozen server never answers one. */
  close(): void;
}

/** A notice's class: SQLSTATE 00 is no more than information (documentation, appendix A). The word is translated, this is not. */
function isWarning(code: string | undefined): boolean {
  return code !== undefined && !code.startsWith('00');
}

/** Throws when there is no login within the deadline; then nothing is left open. */
export async function openSession(config: ClientConfig, withinMs: number, signal: AbortSignal): Promise<Session> {
  const client = new Client({ ...config, application_name: 'understudy load' });
  let isOpen = true;
  let end: unknown = null;
  let warnings = 0;
  const close = (): void => {
    isOpen = false;
    client.connection.stream.destroy();
  };
  client.on('error', (error) => {
    end ??= error; // told by the statement under way, or by the next
    close();
  });
  client.on('end', close);
  client.on('notice', ({ code }) => {
    if (isWarning(code)) warnings += 1;
  });
  const bounded = async <T>(work: Promise<T>): Promise<T> => {
    // What comes of it after the deadline is nobody's.
    work.catch(() => undefined);
    try {
      return await withDeadline(withinMs, signal, () => work);
    } catch (error) {
      if (!isServerError(error)) close();
      throw error;
    }
  };
  await bounded(client.connect()).catch((error: unknown) => {
    close();
    throw error;
  });
  return {
    async query(text, values) {
      if (!isOpen) throw new ConnectionEnded(end ?? 'nobody said why');
      return answerOf(await bounded(values === undefined ? client.query(text) : client.query(text, [...values])));
    },
    isOpen: () => isOpen,
    warnings: () => warnings,
    close,
  };
}

/** Several statements in one text answer with a list. */
function answerOf(result: QueryResult | readonly QueryResult[]): Answer {
  const last = 'rows' in result ? result : result.at(-1);
  const rows: readonly unknown[] = last?.rows ?? [];
  return { rows, rowCount: last?.rowCount ?? 0, command: last?.command ?? '' };
}
