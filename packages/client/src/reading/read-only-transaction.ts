/**
 * Runs a caller's work in a READ ONLY transaction on a connection that was checked out for it.
 *
 * Invariant: the connection goes back only when its transaction has ended; otherwise it is destroyed. Whose fault an error
 * is stays visible: the caller's own come out as `CallersError`, whatever it threw when a server failed under it as what
 * that server did.
 */
import type { PoolClient, QueryResult } from 'pg';
import { CausalReadError, TransactionEndedError } from '../errors.ts';
import { CallersError, isWorthReadingElsewhere, sqlstateOf } from '../failure.ts';
import type { ReadingClient } from './readable.ts';

/** `open` begins the transaction. */
export async function readOnlyTransaction<T>(
  client: PoolClient,
  open: (client: PoolClient) => Promise<void>,
  work: (client: ReadingClient) => Promise<T>,
): Promise<T> {
  let isSound = false;
  let isLost = false;
  const lost = (): void => {
    isLost = true;
  };
  // Without a listener the death of a connection that is out ends the process.
  client.on('error', lost);
  try {
    await open(client);
    const result = await callersWork(client, () => isLost || client.connection.stream.destroyed, work);
    await client.query('COMMIT');
    isSound = true;
    return result;
  } catch (error) {
    const isEnded = await client.query('ROLLBACK').then(
      () => true,
      () => false,
    );
    // It leads to somebody who lacks what was asked for: another one may lead elsewhere.
    isSound = isEnded && !(error instanceof CausalReadError);
    throw error;
  } finally {
    client.off('error', lost);
    client.release(!isSound);
  }
}

async function callersWork<T>(
  client: PoolClient,
  isLost: () => boolean,
  work: (client: ReadingClient) => Promise<T>,
): Promise<T> {
  const failures: unknown[] = [];
  let isOver = false;
  const query: ReadingClient['query'] = async (text, values): Promise<QueryResult> => {
    // The connection may be somebody else's by now, and able to write.
    if (isOver) throw new TransactionEndedError();
    try {
      return await client.query(text, values === undefined ? undefined : [...values]);
    } catch (error) {
      // Without a server's word, and on a connection that is well: it never got as far as a server.
      if (sqlstateOf(error) !== null || isLost()) failures.push(error);
      throw error;
    }
  };
  try {
    return await work({ query });
  } catch (error) {
    const servers = failures.find(isWorthReadingElsewhere);
    if (servers !== undefined) throw servers;
    throw failures.includes(error) ? error : new CallersError(error);
  } finally {
    isOver = true;
  }
}
