/**
 * Reads what a load left on every node, as it is: whether the cluster was at rest is found before (rest.ts).
 *
 * Invariant: a node's contents are read in one statement, so that they are one snapshot. Knows the load's tables, and no
 * way to a node: whoever calls it brings one.
 */
import { z } from 'zod';
import { describeError } from '../errors/understudy-error.ts';
import type { Contents, NodeState } from '../history/node-state.ts';
import type { Node } from './node-access.ts';
import { tablesOf } from './tables.ts';

const there = z.object({ recovery: z.boolean(), made: z.boolean() });
const row = z.object({
  inserts: z.array(z.int()),
  lists: z.array(z.tuple([z.int(), z.array(z.int())])),
  balances: z.array(z.int()),
  transfers: z.array(z.int()),
});
/** Half a million ids take some 2 s. */
const readWithinMs = 30_000;
const nothing: Contents = { inserts: [], lists: new Map(), bank: null };

/** `caughtUp`: the nodes that were at rest. Never throws: a node that can't be read is said to be so. */
export async function readNodeStates(
  nodes: readonly Node[],
  database: string,
  run: string,
  caughtUp: ReadonlySet<string>,
): Promise<readonly NodeState[]> {
  const states: NodeState[] = [];
  // One after another: each answer may be large.
  for (const { node, query } of nodes) {
    try {
      const asking = (sql: string): Promise<readonly unknown[]> => query(database, sql, readWithinMs);
      const read = await readContents(asking, run);
      states.push({ node, read: 'yes', caughtUp: caughtUp.has(node), ...read });
    } catch (error) {
      states.push({ node, read: 'no', because: describeError(error) });
    }
  }
  return states;
}

async function readContents(
  query: (sql: string) => Promise<readonly unknown[]>,
  run: string,
): Promise<{ readonly writable: boolean; readonly contents: Contents }> {
  const tables = tablesOf(run);
  const [first] = await query(
    `select pg_is_in_recovery() as recovery, to_regclass('${tables.transfers}') is not null as made`,
  );
  const { made, recovery } = there.parse(first);
  if (!made) return { writable: !recovery, contents: nothing };
  const [second] = await query(`select
    (select coalesce(json_agg(id), '[]') from ${tables.inserts}) as inserts,
    (select coalesce(json_agg(json_build_array(key, to_json(items))), '[]') from ${tables.lists}) as lists,
    (select coalesce(json_agg(balance order by id), '[]') from ${tables.accounts}) as balances,
    (select coalesce(json_agg(id), '[]') from ${tables.transfers}) as transfers`);
  const { balances, inserts, lists, transfers } = row.parse(second);
  return { writable: !recovery, contents: { inserts, lists: new Map(lists), bank: { balances, transfers } } };
}
