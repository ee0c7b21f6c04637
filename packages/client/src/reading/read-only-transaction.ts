/**
 * Runs a caller's work in a READ ONLY transaction on a connection that was checked out for it.
 *
 * Invariant: the connection goes back only when its transaction has ended; otherwise it is destroyed. Whose fault an error
 * is stays visible: the caller's own come out as `CallersError`, whatever it threw when a server failed under it as what
 * that server did.
 */
import type { PoolClient, QueryResult } from 'pg';
import { CallersError, isWorthReadingElsewhere } from '../failure.ts';
import type { ReadingClient } from './readable.ts';

/** `open` begins the transaction. */
export async function readOnlyTransaction<T>(
  client: PoolClient,
  open: (client: PoolClient) => Promise<void>,
  work: (client: ReadingClient) => Promise<T>,
): Promise<T> {
  let isSound = false;
  try {
    await open(client);
    const result = await callersWork(client, work);
    await client.query('COMMIT');
    isSound = true;
    return result;
  } catch (error) {
    isSound = await client.query('ROLLBACK').then(
      () => true,
      () => false,
    );
    throw error;
  } finally {
    client.release(!isSound);
  }
}

async function callersWork<T>(client: PoolClient, work: (client: ReadingClient) => Promise<T>): Promise<T> {
  const failures: unknown[] = [];
  const query: ReadingClient['query'] = async (text, values): Promise<QueryResult> => {
    try {
      return await client.query(text, values === undefined ? undefined : [...values]);
    } catch (error) {
      failures.push(error);
      throw error;
    }
  };
  try {
    return await work({ query });
  } catch (error) {
    const servers = failures.find(isWorthReadingElsewhere);
    if (servers !== undefined) throw servers;
    throw failures.includes(error) ? error : new CallersError(error);
  }
}
