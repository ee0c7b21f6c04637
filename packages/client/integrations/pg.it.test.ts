import { exam, hasNote } from './exam.ts';

const insert = 'INSERT INTO notes (id) VALUES ($1)';

exam('pg', (db) => ({
  insert: (id) => db.query(insert, [id]),
  has: async (id) => (await db.query(hasNote, [id])).rowCount === 1,
  async transaction(ids, failure) {
    const client = await db.connect();
    try {
      await client.query('BEGIN');
      const backends: number[] = [];
      for (const id of ids) {
        const { rows } = await client.query(`${insert} RETURNING pg_backend_pid() AS backend`, [id]);
        backends.push(rows[0].backend);
      }
      if (failure !== undefined) throw failure;
      await client.query('COMMIT');
      return backends;
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  },
  sqlstateOf: (error) => Reflect.get(Object(error), 'code'),
  hasOnReplica: async (id) => (await db.read().query(hasNote, [id])).rowCount === 1,
  end: () => db.end(),
}));
