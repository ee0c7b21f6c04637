/** Unique rows, one per transaction. For local commits a single statement that commits by itself, as most programs do. */

import { tablesOf } from './tables.ts';
import type { Task } from './task.ts';
import { autocommit, transact } from './transaction.ts';

export function dealInserts(run: string): () => Task {
  const insert = `insert into ${tablesOf(run).inserts} (id) values ($1)`;
  let next = 0;
  return () => {
    const id = next++;
    return {
      async perform(session, level) {
        if (level === 'local') return await autocommit(session, insert, [id]);
        return await transact(session, level, async () => void (await session.query(insert, [id])));
      },
      attempt: (circumstances, ending) => ({ ...circumstances, ...ending, workload: 'inserts', id }),
    };
  };
}
