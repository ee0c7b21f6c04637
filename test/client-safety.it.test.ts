/** Attempts to have @understudy/client say of a transaction what is not so. */
import {
  ClusterPool,
  type ClusterPoolOptions,
  CommitUnknownError,
  DurabilityNotConfirmedError,
  PoolEndedError,
  type Transaction,
  TransactionEndedError,
  TransactionGaveUpError,
} from '@understudy/client';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { askForId, fateOf } from '../packages/client/src/transactions/transaction-id.ts';
import { endClusterPools, openClusterPool, reach } from './fixtures/cluster-pools.ts';
import { type CuttingProxy, startCuttingProxy } from './fixtures/cutting-proxy.ts';
import { type TestNode, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const servers = testServers('describe');
let db1: TestNode;
let admin: pg.Pool;
let proxy: CuttingProxy;
let db: ClusterPool;

beforeAll(async () => {
  ({ db1 } = await servers.replicate({ nodes: ['db1'] }));
  admin = new pg.Pool({ ...reach(db1), max: 3 });
  admin.on('error', () => undefined);
  proxy = await startCuttingProxy(db1);
  await admin.query('CREATE TABLE done (id int PRIMARY KEY, by text)');
  await admin.query('CREATE ROLE blind; GRANT ALL ON done TO blind');
  const setUp = openClusterPool(db1, []);
  await setUp.query(setUp.outcomeTable.create);
}, 120_000);
afterAll(async () => {
  await proxy?.close();
  await admin?.end();
});

/** Through the proxy. */
const open = (options: ClusterPoolOptions = {}): ClusterPool =>
  openClusterPool(db1, [], { ...proxy.config, deadlineMs: 10_000, ...options });
beforeEach(() => {
  db = open();
});
afterEach(endClusterPools);

let id = 0;
const insert = 'INSERT INTO done VALUES ($1, $2)';

async function rows(of: number): Promise<number> {
  return (await admin.query('SELECT count(*)::int AS n FROM done WHERE id = $1', [of])).rows[0].n;
}

beforeEach(() => {
  id += 1;
});

describe('an answer that is lost', () => {
  it('of BEGIN: the transaction is done once', async () => {
    proxy.cut('BEGIN', 'after');
    expect(await db.tx(async (t) => (await t.query(insert, [id, 'x'])).rowCount)).toBe(1);
    expect(await rows(id)).toBe(1);
  });

  it('of a statement in it: it is repeated', async () => {
    proxy.cut('INSERT INTO done', 'after');
    await db.tx(async (t) => {
      await t.query(`INSERT INTO done VALUES (${id}, 'x')`);
    });
    expect(await rows(id)).toBe(1);
  });

  it.each(['before', 'after'] as const)('of COMMIT, %s the server has it: nobody knows', async (when) => {
    proxy.cut('COMMIT', when);
    const lost = db.tx((t) => t.query(insert, [id, 'x']));
    await expect(lost).rejects.toBeInstanceOf(CommitUnknownError);
    if (when === 'before') expect(await rows(id)).toBe(0);
    else await until('it is there', async () => (await rows(id)) === 1);
  });

  it.each(['before', 'after'] as const)('of COMMIT with a key, %s the server has it: it is done once', async (when) => {
    proxy.cut('COMMIT', when);
    const at = new Date();
    const work = async (t: Transaction) => {
      await t.query(insert, [id, 'x']);
      return { at };
    };
    expect(await db.tx(work, { idempotencyKey: `lost ${id}` })).toEqual({ at });
    expect(await rows(id)).toBe(1);
  });

  it('of COMMIT, while the question about its key is not answered: nobody knows', async () => {
    const key = `asked ${id}`;
    let runs = 0;
    const lost = db.tx(
      async (t) => {
        runs += 1;
        await t.query(insert, [id, 'x']);
        proxy.cut('COMMIT', 'after');
        proxy.thenCut('SELECT result', 'after');
        return 1;
      },
      { idempotencyKey: key, retry: { maxAttempts: 2 } },
    );
    await expect(lost).rejects.toBeInstanceOf(CommitUnknownError);
    expect(runs).toBe(1);
    expect(await rows(id)).toBe(1);
  });

  it('of COMMIT, while another process does the work of the same key: its answer counts', async () => {
    const key = `theirs ${id}`;
    const others = open();
    proxy.cut('COMMIT', 'before');
    const ours = db.tx(
      async (t) => {
        await t.query(insert, [id, 'ours']);
        return 'ours';
      },
      { idempotencyKey: key, retry: { baseMs: 2_000 } },
    );
    const theirs = until('ours is lost', async () => {
      const { rows: left } = await admin.query("SELECT 1 FROM pg_locks WHERE relation = 'done'::regclass");
      return db.totalCount === 0 && left.length === 0;
    }).then(() =>
      others.tx(
        async (t) => {
          await t.query(insert, [id, 'theirs']);
          return 'theirs';
        },
        { idempotencyKey: key },
      ),
    );
    const [a, b] = await Promise.all([ours, theirs]);
    const [{ by }] = (await admin.query('SELECT by FROM done WHERE id = $1', [id])).rows;
    expect([a, b]).toEqual([by, by]);
  });

  it('of the position behind COMMIT: it is done all the same', async () => {
    await admin.query('REVOKE EXECUTE ON FUNCTION pg_current_wal_insert_lsn() FROM PUBLIC');
    const blind = openClusterPool(db1, [], { options: '-c role=blind' });
    try {
      const answer = await blind.session(null, () =>
        blind.tx(async (t) => {
          await t.query(insert, [id, 'x']);
          return 'done';
        }),
      );
      expect(answer).toBe('done');
      expect(await rows(id)).toBe(1);
    } finally {
      await admin.query('GRANT EXECUTE ON FUNCTION pg_current_wal_insert_lsn() TO PUBLIC');
    }
  });

  it("of COMMIT within pg's own query_timeout: nobody knows", async () => {
    const impatient = open({ query_timeout: 300 });
    await admin.query(
      `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END'`,
    );
    await admin.query(
      'CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON done DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()',
    );
    try {
      await expect(impatient.tx((t) => t.query(insert, [id, 'x']))).rejects.toBeInstanceOf(CommitUnknownError);
      await until('it is there', async () => (await rows(id)) === 1);
    } finally {
      await admin.query('DROP FUNCTION slow CASCADE');
    }
  });
});

describe('a function that ends its transaction itself', () => {
  it('by COMMIT is not run again, whatever fails then', async () => {
    let runs = 0;
    const twice = db.tx(async (t) => {
      runs += 1;
      await t.query(insert, [id, 'x']);
      await t.query('COMMIT');
      await t.query("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$");
    });
    await expect(twice).rejects.toBeInstanceOf(TransactionEndedError);
    expect(runs).toBe(1);
  });

  it('by COMMIT AND CHAIN is not run again when its connection dies', async () => {
    let runs = 0;
    const twice = db.tx(async (t) => {
      runs += 1;
      await t.query(insert, [id, 'x']);
      await t.query('COMMIT AND CHAIN');
      await t.query('SELECT pg_terminate_backend(pg_backend_pid())');
    });
    await expect(twice).rejects.toMatchObject({ code: 'TRANSACTION_ENDED', outcome: 'unknown' });
    expect(runs).toBe(1);
  });

  it.each(['await', 'float'] as const)('by ROLLBACK (%s) is not called committed', async (way) => {
    const lost = db.tx(async (t) => {
      await t.query(insert, [id, 'x']);
      const ended = t.client.query('ROLLBACK');
      if (way === 'await') await ended;
      return 'done';
    });
    await expect(lost).rejects.toBeInstanceOf(TransactionEndedError);
    expect(await rows(id)).toBe(0);
  });

  it('of a savepoint ends nothing', async () => {
    await db.tx(async (t) => {
      await t.query(insert, [id, 'x']);
      await t.query('SAVEPOINT a');
      await t.query('SELECT 1/0').catch(() => undefined);
      await t.query('ROLLBACK TO SAVEPOINT a');
      await t.query('RELEASE SAVEPOINT a');
    });
    expect(await rows(id)).toBe(1);
  });
});

describe('what comes after the end', () => {
  it('of a transaction is refused, and does not land on its own', async () => {
    let kept: Transaction | undefined;
    await db.tx(async (t) => {
      kept = t;
      await t.query('SELECT 1');
    });
    await expect(kept?.query(insert, [id, 'x'])).rejects.toBeInstanceOf(TransactionEndedError);
    expect(await rows(id)).toBe(0);
  });

  it('of a read on the primary is refused, and does not land on its own', async () => {
    const kept = await db.reading(async (r) => ({ query: r.query }));
    await expect(kept.query(insert, [id, 'x'])).rejects.toBeInstanceOf(TransactionEndedError);
    expect(await rows(id)).toBe(0);
  });

  it('of its function keeps the connection, though that gives it back', async () => {
    const one = open({ max: 1 });
    const waiting: Promise<unknown>[] = [];
    await one.tx(async (t) => {
      await t.query(insert, [id, 'x']);
      t.client.release();
      waiting.push(one.query('SELECT 1'));
      await new Promise((resolve) => setImmediate(resolve));
      expect(one.waitingCount).toBe(1);
      expect(await rows(id)).toBe(0);
    });
    await Promise.all(waiting);
    expect(await rows(id)).toBe(1);
    expect([one.totalCount, one.idleCount]).toEqual([1, 1]);
  });

  it('of the pool fails at once, and opens nothing', async () => {
    const ended = new ClusterPool({ ...reach(db1), replicas: { here: reach(db1) }, deadlineMs: 60_000 });
    await ended.end();
    await expect(ended.tx(async () => 1)).rejects.toBeInstanceOf(PoolEndedError);
    await expect(ended.read().query('SELECT 1')).rejects.toBeInstanceOf(PoolEndedError);
    await expect(ended.reading(async () => 1)).rejects.toBeInstanceOf(PoolEndedError);
  });
});

describe('whoever listens', () => {
  it('to the mode and throws, throws for himself', async () => {
    const thrown: unknown[] = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => thrown.push(error));
    const mine = new Error('mine');
    try {
      db.onMode(() => {
        throw mine;
      });
      expect(await db.tx(async (t) => (await t.query(insert, [id, 'x'])).rowCount)).toBe(1);
      await until('it was thrown', async () => thrown.length === 1);
      expect(thrown).toEqual([mine]);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const other of others) process.on('uncaughtException', other);
    }
  });
});

describe('a read on the primary', () => {
  it('whose backend is killed is done again, and ends no process', async () => {
    let runs = 0;
    const answer = await db.reading(async (r) => {
      runs += 1;
      const pid = (await r.query('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
      if (runs === 1) {
        await admin.query('SELECT pg_terminate_backend($1)', [pid]);
        await until('it is gone', async () => {
          const { rowCount } = await admin.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid]);
          return rowCount === 0;
        });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return (await r.query('SELECT 7 AS n')).rows[0]?.n;
    });
    expect([answer, runs]).toEqual([7, 2]);
  });

  it('that finds no connection fails at its deadline', async () => {
    const one = open({ max: 1, readDeadlineMs: 200 });
    const held = await one.connect();
    await expect(one.read().query('SELECT 1')).rejects.toThrow('not done within 200 ms');
    held.release();
    await until('nobody waits', async () => one.waitingCount === 0 && one.idleCount === 1);
  });
});

describe('durability', () => {
  it('is not called confirmed where a role hears no warnings', async () => {
    await admin.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    await admin.query('SELECT pg_reload_conf()');
    // Whether a commit waits is the checkpointer's to say. Who connects with the new setting comes after its signal; then it has been heard.
    await until('new servers have it', async () => {
      const client = new pg.Client(reach(db1));
      await client.connect();
      try {
        return (await client.query('SHOW synchronous_standby_names')).rows[0]?.synchronous_standby_names === 'nobody';
      } finally {
        await client.end();
      }
    });
    await admin.query('CHECKPOINT');
    const deaf = open({ options: '-c client_min_messages=error' });
    try {
      const waiting = deaf.tx((t) => t.query(insert, [id, 'x']), { durability: 'on' }).catch((error: unknown) => error);
      const pid = await until('it waits', async () => {
        const { rows: found } = await admin.query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        return found[0]?.pid;
      });
      await admin.query('SELECT pg_cancel_backend($1)', [pid]);
      expect(await waiting).toBeInstanceOf(DurabilityNotConfirmedError);
    } finally {
      await admin.query('ALTER SYSTEM RESET synchronous_standby_names');
      await admin.query('SELECT pg_reload_conf()');
    }
  });
});

describe('deadlines', () => {
  it('longer than a timer can be are the longest that it can be', async () => {
    await db.tx(
      async (t) => {
        await t.query(insert, [id, 'x']);
        await new Promise((resolve) => setTimeout(resolve, 20));
      },
      { deadlineMs: Number.MAX_SAFE_INTEGER },
    );
    expect(await rows(id)).toBe(1);
  });

  it('within a transaction of the only connection end the inner one, and the outer goes on', async () => {
    const one = open({ max: 1 });
    const inner = await one.tx(async (t) => {
      await t.query(insert, [id, 'x']);
      return await one.tx(async () => 1, { deadlineMs: 200 }).catch((error: unknown) => error);
    });
    expect(inner).toBeInstanceOf(TransactionGaveUpError);
    expect(inner).toMatchObject({ outcome: 'not-sent' });
    expect(await rows(id)).toBe(1);
  });
});

it('listeners do not grow on a connection', async () => {
  const one = open({ max: 1 });
  const counts = async (): Promise<number[]> => {
    const client = await one.connect();
    const named = ['error', 'end', 'notice'].map((name) => client.listenerCount(name));
    const inner = ['commandComplete', 'readyForQuery'].map((name) => client.connection.listenerCount(name));
    client.release();
    return [...named, ...inner];
  };
  await one.tx((t) => t.query('SELECT 1'));
  const before = await counts();
  const other = new AbortController();
  for (let n = 0; n < 300; n += 1) {
    await one.tx((t) => t.query('SELECT 1'), { signal: other.signal });
    await one.read().query('SELECT 1');
    await one.tx(() => Promise.reject(new Error('no'))).catch(() => undefined);
  }
  expect(await counts()).toEqual(before);
});

// Last: it ends every other connection.
it('an id is not looked up once its server has crashed', async () => {
  await admin.query('ALTER SYSTEM SET restart_after_crash = on');
  await admin.query("ALTER SYSTEM SET wal_writer_delay = '10s'");
  await admin.query('SELECT pg_reload_conf()');
  const client = await admin.connect();
  client.on('error', () => undefined);
  await client.query('BEGIN');
  await client.query(insert, [id, 'x']);
  const asked = await askForId(client);
  if (asked === null || asked === 'wrote-nothing') throw new Error('it has no id');
  process.kill((await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid, 'SIGKILL');
  client.release(true);
  await until('it is back', async () => {
    const { rows: found } = await admin.query('SELECT 1').catch(() => ({ rows: [] }));
    return found.length === 1;
  });
  const again = await admin.connect();
  // Nothing of it was written, so that the next one is likely to be given the same id.
  await again.query('SELECT pg_current_xact_id()');
  expect(await fateOf(again, asked)).toBe('unknown');
  again.release();
});
