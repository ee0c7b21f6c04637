import type { ClusterPool } from '@understudy/client';
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient, sql } from 'kysely';
import { exam } from './exam.ts';

interface Database {
  notes: { id: number; text: string | null };
}

/** Single statements by `db.read()`. */
function readerPool(db: ClusterPool): PostgresPool {
  const { query } = db.read();
  // Its type wants to know the tag of each result, which `pg` calls a text.
  const connect = async () => ({ query, release: () => undefined }) as unknown as PostgresPoolClient;
  return { connect, end: async () => undefined, options: {} };
}

exam('kysely', (db) => {
  const orm = new Kysely<Database>({ dialect: new PostgresDialect({ pool: db }) });
  const readOrm = new Kysely<Database>({ dialect: new PostgresDialect({ pool: readerPool(db) }) });
  const find = (by: Kysely<Database>, id: number) =>
    by.selectFrom('notes').select('id').where('id', '=', id).executeTakeFirst();
  return {
    insert: (id) => orm.insertInto('notes').values({ id }).execute(),
    has: async (id) => (await find(orm, id)) !== undefined,
    transaction: (ids, failure) =>
      orm.transaction().execute(async (tx) => {
        const backends: number[] = [];
        for (const id of ids) {
          const { backend } = await tx
            .insertInto('notes')
            .values({ id })
            .returning(sql<number>`pg_backend_pid()`.as('backend'))
            .executeTakeFirstOrThrow();
          backends.push(backend);
        }
        if (failure !== undefined) throw failure;
        return backends;
      }),
    sqlstateOf: (error) => Reflect.get(Object(error), 'code'),
    hasOnReplica: async (id) => (await find(readOrm, id)) !== undefined,
    end: () => orm.destroy(),
  };
});
