/**
 * Items at the end of lists: each transaction puts its own at the end of one list and looks at another.
 *
 * A few lists are open at any time, so that writers meet on them; one that is long enough is left and a new one begun, so
 * that what is read stays short however long the load runs.
 */
import { z } from 'zod';
import type { ListRead } from '../history/attempt.ts';
import { tablesOf } from './tables.ts';
import { type Draw, drawBelow, type Task } from './task.ts';
import { transact } from './transaction.ts';

const openLists = 8;
const longestList = 32;
const row = z.object({ items: z.array(z.int()) });

export function dealAppends(run: string, draw: Draw): () => Task {
  const { lists } = tablesOf(run);
  // As JSON, since a bigint[] would come as texts.
  const append = `insert into ${lists} as list (key, items) values ($1, array[$2::bigint])
    on conflict (key) do update set items = list.items || excluded.items returning to_json(items) as items`;
  const look = `select to_json(items) as items from ${lists} where key = $1`;
  const open = Array.from({ length: openLists }, (_, key) => ({ key, length: 0 }));
  let nextKey = openLists;
  let nextId = 0;
  const chooseList = (): number => {
    const index = drawBelow(draw, openLists);
    const list = open[index] ?? { key: nextKey++, length: 0 };
    open[index] = list.length + 1 < longestList ? { ...list, length: list.length + 1 } : { key: nextKey++, length: 0 };
    return list.key;
  };
  return () => {
    const id = nextId++;
    const key = chooseList();
    const other = open[drawBelow(draw, openLists)]?.key ?? key;
    const reads: ListRead[] = [];
    return {
      async perform(session, level) {
        return await transact(session, level, async () => {
          reads.push({ key, items: row.parse((await session.query(append, [key, id])).rows[0]).items });
          const [seen] = (await session.query(look, [other])).rows;
          reads.push({ key: other, items: seen === undefined ? [] : row.parse(seen).items });
        });
      },
      attempt: (circumstances, ending) => ({ ...circumstances, ...ending, workload: 'append', id, key, reads }),
    };
  };
}
