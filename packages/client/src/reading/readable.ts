/** A server as a read sees it. */
import type { QueryConfig, QueryResult, QueryResultRow } from 'pg';

/** What the work of several statements is given. */
export interface ReadingClient {
  query<R extends QueryResultRow = QueryResultRow>(
    text: string | QueryConfig,
    values?: readonly unknown[],
  ): Promise<QueryResult<R>>;
}

export interface Readable {
  query(text: string | QueryConfig, values?: readonly unknown[]): Promise<QueryResult>;
  /** `begin` opens a READ ONLY transaction. */
  transaction<T>(begin: string, work: (client: ReadingClient) => Promise<T>): Promise<T>;
}
