import { typeormDriver } from '@understudy/client/typeorm';
import { DataSource, EntitySchema, QueryFailedError } from 'typeorm';
import { exam } from './exam.ts';

const notes = new EntitySchema<{ id: string; text: string | null }>({
  name: 'notes',
  columns: { id: { type: 'bigint', primary: true }, text: { type: 'text', nullable: true } },
});

exam('typeorm', async (db) => {
  const orm = new DataSource({ type: 'postgres', driver: typeormDriver(db), entities: [notes] });
  await orm.initialize();
  const repository = orm.getRepository(notes);
  return {
    insert: (id) => repository.insert({ id: String(id) }),
    has: async (id) => await repository.existsBy({ id: String(id) }),
    transaction: (ids, failure) =>
      orm.transaction(async (manager) => {
        const backends: number[] = [];
        for (const id of ids) {
          await manager.insert(notes, { id: String(id) });
          const [row] = await manager.query<{ backend: number }[]>('SELECT pg_backend_pid() AS backend');
          if (row !== undefined) backends.push(row.backend);
        }
        if (failure !== undefined) throw failure;
        return backends;
      }),
    sqlstateOf: (error) => (error instanceof QueryFailedError ? Reflect.get(error.driverError, 'code') : undefined),
    hasOnReplica: null,
    end: () => orm.destroy(),
  };
});
