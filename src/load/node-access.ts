/** A way to each database node, past every pooler. Whoever has a load carried out brings it. */

/** Answers the rows of one query to that very node, asked as its superuser; gives up after `withinMs`. */
export type NodeQuery = (database: string, sql: string, withinMs: number) => Promise<readonly unknown[]>;

export interface Node {
  readonly node: string;
  readonly query: NodeQuery;
}
