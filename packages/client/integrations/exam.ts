/**
 * What every library must pass on a pool of @understudy/client over a real primary and a real standby.
 *
 * Invariant: all sit the same exam, and it fails when the pool is a plain `pg.Pool` of the standby, or the library spreads a
 * transaction over connections.
 */
import { userInfo } from 'node:os';
import { ClusterPool, type ClusterPoolOptions } from '@understudy/client';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestNode, until } from '../../../test/fixtures/postgres-cluster.ts';
import { testServers } from '../../../test/fixtures/postgres-servers.ts';

export interface Library {
  insert(id: number): Promise<unknown>;
  /** Asks the primary. */
  has(id: number): Promise<boolean>;
  /** Inserts them in one transaction, and answers by which backend each was. Throws `failure` at the end of it. */
  transaction(ids: readonly number[], failure?: Error): Promise<readonly number[]>;
  /** In what the library made of an error of PostgreSQL. */
  sqlstateOf(error: unknown): unknown;
  /** By `db.read()`; `null`: the library can't. */
  readonly hasOnReplica: ((id: number) => Promise<boolean>) | null;
  /** The library's way to end, and the pool's where it has none. */
  end(): Promise<void>;
}

export class World {
  readonly #servers = testServers('describe');
  #nodes: { readonly db1: TestNode; readonly db2: TestNode } | null = null;
  #standby: pg.Pool | null = null;
  #primary: pg.Pool | null = null;

  async open(): Promise<void> {
    const { db1, db2 } = await this.#servers.replicate({ nodes: ['db1', 'db2'] });
    this.#nodes = { db1, db2 };
    this.#primary = new pg.Pool({ ...reach(db1), max: 1 });
    this.#standby = new pg.Pool({ ...reach(db2), max: 1 });
    await this.#primary.query('CREATE TABLE notes (id bigint PRIMARY KEY, text text)');
    await until('the standby has the table', async () => {
      const { rows } = await this.standby.query("SELECT to_regclass('notes') IS NOT NULL AS is_there");
      return rows[0].is_there === true;
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.#primary?.end(), this.#standby?.end()]);
  }

  get primary(): pg.Pool {
    if (this.#primary === null) throw new Error('not open');
    return this.#primary;
  }

  get standby(): pg.Pool {
    if (this.#standby === null) throw new Error('not open');
    return this.#standby;
  }

  pool(options: ClusterPoolOptions = {}): ClusterPool {
    if (this.#nodes === null) throw new Error('not open');
    const { db1, db2 } = this.#nodes;
    return new ClusterPool({ ...reach(db1), max: 6, replicas: { db2: reach(db2) }, probeEveryMs: 100, ...options });
  }

  /** What is written meanwhile is on the primary alone. */
  async whileReplayIsHeld<T>(work: () => Promise<T>): Promise<T> {
    await this.standby.query('SELECT pg_wal_replay_pause()');
    await until('replay is held', async () => {
      const { rows } = await this.standby.query('SELECT pg_get_wal_replay_pause_state() AS state');
      return rows[0].state === 'paused';
    });
    try {
      return await work();
    } finally {
      await this.standby.query('SELECT pg_wal_replay_resume()');
    }
  }
}

function reach({ layout, upstream }: TestNode): pg.PoolConfig {
  return { host: layout.run, port: upstream.port, user: userInfo().username, database: 'postgres' };
}

let last = 0;
export function nextId(): number {
  last += 1;
  return last;
}

export const hasNote = 'SELECT id FROM notes WHERE id = $1';

export function exam(name: string, start: (db: ClusterPool) => Library | Promise<Library>): void {
  describe(name, () => {
    const world = new World();
    let db: ClusterPool;
    let library: Library;
    beforeAll(async () => {
      await world.open();
      db = world.pool({ application_name: name });
      library = await start(db);
    }, 120_000);
    afterAll(() => world.close());

    it('writes and reads', async () => {
      const id = nextId();
      expect(await library.has(id)).toBe(false);
      await library.insert(id);
      expect(await library.has(id)).toBe(true);
    });

    it('keeps each transaction on one connection, beside others', async () => {
      const many = [0, 1, 2, 3].map(() => [nextId(), nextId(), nextId()]);
      const backends = await Promise.all(many.map((ids) => library.transaction(ids)));
      for (const used of backends) expect(new Set(used).size).toBe(1);
      expect(new Set(backends.flat()).size).toBe(many.length);
      for (const id of many.flat()) expect(await library.has(id)).toBe(true);
    });

    it('rolls back what fails, and goes on with the connection', async () => {
      const [first, second] = [nextId(), nextId()];
      await expect(library.transaction([first], new Error('mine'))).rejects.toThrow('mine');
      await expect(library.transaction([second, second])).rejects.toThrow();
      expect([await library.has(first), await library.has(second)]).toEqual([false, false]);
      expect(db.idleCount).toBe(db.totalCount);
    });

    it('passes on what PostgreSQL says', async () => {
      const id = nextId();
      await library.insert(id);
      const error = await library.insert(id).catch((caught: unknown) => caught);
      expect(library.sqlstateOf(error)).toBe('23505');
    });

    it('marks its session, whose reads see what it wrote, also in the next request', async () => {
      const { hasOnReplica = null } = library;
      const reads = hasOnReplica ?? (async (id: number) => (await db.read().query(hasNote, [id])).rowCount === 1);
      const ways: ((id: number) => Promise<unknown>)[] = [
        (id) => library.insert(id),
        (id) => library.transaction([id]),
      ];
      for (const write of ways) {
        const id = nextId();
        await world.whileReplayIsHeld(async () => {
          const token = await db.session(null, async (session) => {
            await write(id);
            expect(await reads(id)).toBe(true);
            return await session.token();
          });
          expect(await reads(id)).toBe(false);
          expect(await db.session(token, () => reads(id))).toBe(true);
        });
        await until('the standby has it', () => reads(id));
      }
    });

    it('ends, and leaves no connection', async () => {
      await library.end();
      await expect(db.query('SELECT 1')).rejects.toThrow('end');
      await until('no connection is left', async () => {
        const text = 'SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1';
        return (await world.primary.query(text, [name])).rows[0].n === 0;
      });
    });
  });
}

/** The first value under `key` along the causes of an error. */
export function alongCauses(error: unknown, key: string): unknown {
  for (let at = error; typeof at === 'object' && at !== null; at = Reflect.get(at, 'cause')) {
    const found: unknown = Reflect.get(at, key);
    if (found !== undefined) return found;
  }
  return undefined;
}
