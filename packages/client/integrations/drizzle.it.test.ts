import type { ClusterPool } from '@understudy/client';
import { eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { bigint, pgTable, text } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alongCauses, exam, nextId, World } from './exam.ts';

const notes = pgTable('notes', { id: bigint({ mode: 'number' }).primaryKey(), text: text() });

/** Drizzle asks its client for nothing but `query` as long as it begins no transaction. */
function readersOf(db: ClusterPool) {
  return drizzle({ client: Object.assign(Object.create(db), db.read()), schema: { notes } });
}

exam('drizzle', (db) => {
  const orm = drizzle({ client: db, schema: { notes } });
  const readOrm = readersOf(db);
  return {
    insert: (id) => orm.insert(notes).values({ id }),
    has: async (id) => (await orm.select().from(notes).where(eq(notes.id, id))).length === 1,
    transaction: (ids, failure) =>
      orm.transaction(async (tx) => {
        const backends: number[] = [];
        for (const id of ids) {
          const [row] = await tx.insert(notes).values({ id }).returning({ backend: sql<number>`pg_backend_pid()` });
          if (row !== undefined) backends.push(row.backend);
        }
        if (failure !== undefined) throw failure;
        return backends;
      }),
    sqlstateOf: (error) => alongCauses(error, 'code'),
    hasOnReplica: async (id) => (await readOrm.query.notes.findFirst({ where: eq(notes.id, id) })) !== undefined,
    end: () => orm.$client.end(),
  };
});

describe('drizzle beside the pool', () => {
  const world = new World();
  let db: ClusterPool;
  beforeAll(async () => {
    await world.open();
    db = world.pool();
  }, 120_000);
  afterAll(async () => {
    await db.end();
    await world.close();
  });

  it('works within a transaction of the pool, which is repeated', async () => {
    const id = nextId();
    let attempts = 0;
    await db.tx(async ({ client, attempt }) => {
      attempts = attempt;
      await drizzle({ client, schema: { notes } }).insert(notes).values({ id });
      if (attempt === 1) await client.query("DO $$ BEGIN RAISE 'once more' USING ERRCODE = '40001'; END $$");
    });
    expect(attempts).toBe(2);
    expect(await drizzle({ client: db }).$count(notes, eq(notes.id, id))).toBe(1);
  });

  it('begins no transaction on readers, and leaves none open there', async () => {
    await expect(readersOf(db).transaction(async () => undefined)).rejects.toThrow(TypeError);
    const { rows } = await db.read().query('SELECT now() = statement_timestamp() AS is_alone');
    expect(rows).toEqual([{ is_alone: true }]);
  });
});
