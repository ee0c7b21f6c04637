import { PrismaPg } from '@prisma/adapter-pg';
import { exam } from './exam.ts';
import { PrismaClient } from './prisma/generated/client.ts';

/** `P2002` and the like are Prisma's own; PostgreSQL's code is beneath. */
function sqlstateOf(error: unknown): unknown {
  const meta: unknown = Reflect.get(Object(error), 'meta');
  const adapters: unknown = Reflect.get(Object(meta), 'driverAdapterError');
  return Reflect.get(Object(Reflect.get(Object(adapters), 'cause')), 'originalCode');
}

exam('prisma', (db) => {
  const orm = new PrismaClient({ adapter: new PrismaPg(db, { disposeExternalPool: true }) });
  return {
    insert: (id) => orm.note.create({ data: { id } }),
    has: async (id) => (await orm.note.findUnique({ where: { id } })) !== null,
    transaction: (ids, failure) =>
      orm.$transaction(async (tx) => {
        const backends: number[] = [];
        for (const id of ids) {
          await tx.note.create({ data: { id } });
          const [row] = await tx.$queryRaw<{ backend: number }[]>`SELECT pg_backend_pid() AS backend`;
          if (row !== undefined) backends.push(row.backend);
        }
        if (failure !== undefined) throw failure;
        return backends;
      }),
    sqlstateOf,
    hasOnReplica: null,
    end: () => orm.$disconnect(),
  };
});
