/** Transactions of @understudy/client on a real primary: what is repeated, what is not, and what is said of the rest. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  type ClusterPool,
  CommitUnknownError,
  DurabilityNotConfirmedError,
  OptionError,
  ReadOnlyModeError,
  type Transaction,
  TransactionGaveUpError,
  TransactionRolledBackError,
} from '@understudy/client';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endClusterPools, Heard, isTransaction, openClusterPool, reach } from './fixtures/cluster-pools.ts';
import { type TestNode, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const servers = testServers('describe');
let db1: TestNode;
let admin: pg.Pool;
let db: ClusterPool;

beforeAll(async () => {
  ({ db1 } = await servers.replicate({ nodes: ['db1'] }));
  admin = new pg.Pool({ ...reach(db1), max: 3 });
  await admin.query('CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)');
  await admin.query('INSERT INTO accounts SELECT g, 100 FROM generate_series(1, 10) g');
  const setUp = openClusterPool(db1, []);
  await setUp.query(setUp.outcomeTable.create);
  await setUp.query(setUp.outcomeTable.create);
}, 120_000);
afterAll(async () => await admin?.end());

const heard = new Heard(isTransaction);
const told = heard.events;
beforeEach(() => {
  told.length = 0;
  subscribe('understudy:transaction', heard.listener);
  db = openClusterPool(db1, [], { deadlineMs: 10_000 });
});
afterEach(async () => {
  unsubscribe('understudy:transaction', heard.listener);
  await endClusterPools();
});

async function balance(id: number): Promise<number> {
  return (await admin.query('SELECT balance FROM accounts WHERE id = $1', [id])).rows[0].balance;
}

async function backendOf(t: Transaction): Promise<number> {
  return (await t.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0;
}

const add = 'UPDATE accounts SET balance = balance + $2 WHERE id = $1';

describe('a transaction', () => {
  it('answers what its function answers, and is there', async () => {
    const before = await balance(1);
    const answer = await db.tx(async (t) => {
      await t.query(add, [1, 5]);
      return t.attempt;
    });
    expect(answer).toBe(1);
    expect(await balance(1)).toBe(before + 5);
    expect(told).toEqual([expect.objectContaining({ attempts: 1, outcome: 'committed', error: null })]);
  });

  it("throws the function's own error once, and leaves nothing", async () => {
    const before = await balance(1);
    const mine = new Error('no');
    let runs = 0;
    const failing = db.tx(async (t) => {
      runs += 1;
      await t.query(add, [1, 5]);
      throw mine;
    });
    await expect(failing).rejects.toBe(mine);
    expect(runs).toBe(1);
    expect(await balance(1)).toBe(before);
    expect(db.idleCount).toBe(1);
  });

  it("throws the statement's error as pg made it", async () => {
    await expect(db.tx((t) => t.query('INSERT INTO accounts VALUES (1, 1)'))).rejects.toMatchObject({ code: '23505' });
    await expect(db.tx((t) => t.query('SELECT $1::int', ['x']))).rejects.toMatchObject({ code: '22P02' });
    expect(db.totalCount).toBe(1);
  });

  it('says so when its COMMIT rolled back', async () => {
    const swallowing = db.tx(async (t) => {
      await t.query('SELECT 1/0').catch(() => undefined);
    });
    await expect(swallowing).rejects.toBeInstanceOf(TransactionRolledBackError);
  });

  it('has the isolation and the durability that it asked for', async () => {
    const asked = await db.tx(
      async (t) =>
        (
          await t.query(
            "SELECT current_setting('transaction_isolation') AS i, current_setting('synchronous_commit') AS d",
          )
        ).rows[0],
      { isolation: 'serializable', durability: 'remote_apply' },
    );
    expect(asked).toEqual({ i: 'serializable', d: 'remote_apply' });
    const after = await db.query("SELECT current_setting('synchronous_commit') AS d");
    expect(after.rows[0].d).not.toBe('remote_apply');
  });

  it('refuses options that are none, before anything is sent', async () => {
    // @ts-expect-error: from a program without types
    await expect(db.tx(async () => 1, { isolation: 'x; DROP TABLE accounts' })).rejects.toBeInstanceOf(OptionError);
    await expect(db.tx(async () => 1, { deadlineMs: -1 })).rejects.toMatchObject({ outcome: 'not-sent' });
    await expect(db.tx(async () => 1, { idempotencyKey: '' })).rejects.toBeInstanceOf(OptionError);
    expect(db.totalCount).toBe(0);
  });
});

describe('what is safe to repeat is repeated', () => {
  it('after a serialization failure', async () => {
    const before = await balance(2);
    let runs = 0;
    await db.tx(
      async (t) => {
        runs += 1;
        const { rows } = await t.query('SELECT balance FROM accounts WHERE id = 2');
        if (runs === 1) await admin.query(add, [2, 1]);
        await t.query('UPDATE accounts SET balance = $1 WHERE id = 2', [rows[0]?.balance + 10]);
      },
      { isolation: 'repeatable read' },
    );
    expect(runs).toBe(2);
    expect(await balance(2)).toBe(before + 11);
  });

  it('after a deadlock', async () => {
    const move = async (from: number, to: number): Promise<number> => {
      let runs = 0;
      await db.tx(async (t) => {
        runs += 1;
        await t.query(add, [from, -1]);
        if (runs === 1) await until('both hold one', async () => (await locked()) >= 2);
        await t.query(add, [to, 1]);
      });
      return runs;
    };
    const locked = async () =>
      (
        await admin.query(
          "SELECT count(DISTINCT pid)::int AS n FROM pg_locks WHERE mode = 'RowExclusiveLock' AND relation = 'accounts'::regclass",
        )
      ).rows[0].n;
    const [a, b] = [await balance(3), await balance(4)];
    const runs = await Promise.all([move(3, 4), move(4, 3)]);
    expect(runs.reduce((sum, n) => sum + n)).toBe(3);
    expect([await balance(3), await balance(4)]).toEqual([a, b]);
  });

  it('after its connection was ended before COMMIT', async () => {
    const before = await balance(5);
    await db.tx(async (t) => {
      await t.query(add, [5, 1]);
      if (t.attempt === 1) await admin.query('SELECT pg_terminate_backend($1)', [await backendOf(t)]);
      await t.query('SELECT 1');
    });
    expect(await balance(5)).toBe(before + 1);
    expect(told.at(-1)).toMatchObject({ attempts: 2, outcome: 'committed' });
  });

  it('also where the function wraps what the server said in an error of its own', async () => {
    const attempts = await db.tx(async (t) => {
      if (t.attempt > 1) return t.attempt;
      await admin.query('SELECT pg_terminate_backend($1)', [await backendOf(t)]);
      return await t.query('SELECT 1').then(
        () => 0,
        (cause: unknown) => Promise.reject(new Error('an object mapper says', { cause })),
      );
    });
    expect(attempts).toBe(2);
  });

  it('not at all with retry: false, and as often as was asked for', async () => {
    const failing = (retry: false | { maxAttempts: number }): Promise<void> =>
      db.tx(
        async (t) => {
          await admin.query('SELECT pg_terminate_backend($1)', [await backendOf(t)]);
          await t.query('SELECT 1');
        },
        { retry },
      );
    await expect(failing(false)).rejects.toMatchObject({ attempts: 1, outcome: 'rolled-back' });
    await expect(failing({ maxAttempts: 3 })).rejects.toMatchObject({ attempts: 3, outcome: 'rolled-back' });
  });

  it('until its deadline, while nobody answers', async () => {
    const nobody = openClusterPool(db1, [], { port: 1 });
    const started = performance.now();
    const given = nobody.tx(async () => 1, { deadlineMs: 400 });
    await expect(given).rejects.toBeInstanceOf(TransactionGaveUpError);
    await expect(given).rejects.toMatchObject({
      outcome: 'not-sent',
      cause: expect.objectContaining({ code: 'ENOENT' }),
    });
    expect(performance.now() - started).toBeGreaterThan(390);
  });

  it('ends at its deadline whatever its function waits for, and is rolled back', async () => {
    const before = await balance(6);
    const stuck = db.tx(
      async (t) => {
        await t.query(add, [6, 1]);
        await new Promise(() => undefined);
      },
      { deadlineMs: 300 },
    );
    await expect(stuck).rejects.toMatchObject({ code: 'TRANSACTION_GAVE_UP', outcome: 'rolled-back' });
    await until('its lock is gone', async () => (await balance(6)) === before);
    await db.tx((t) => t.query(add, [6, 0]));
  });

  it("ends when its caller gives up, with the caller's reason", async () => {
    const caller = new AbortController();
    const given = db.tx(
      async (t) => {
        caller.abort(new Error('not needed any more'));
        await t.query('SELECT 1');
      },
      { signal: caller.signal },
    );
    await expect(given).rejects.toThrow('not needed any more');
  });
});

/** Every COMMIT that wants a standby waits from now on: there is none. */
async function wantStandby(name: string): Promise<void> {
  await admin.query(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`);
  await admin.query('SELECT pg_reload_conf()');
  await until('it is known', async () => {
    const client = new pg.Client(reach(db1));
    await client.connect();
    const { rows } = await client.query('SHOW synchronous_standby_names');
    await client.end();
    return rows[0].synchronous_standby_names === name;
  });
  // Whether a commit waits is the checkpointer's to say, which has been sent the same signal by now.
  await admin.query('CHECKPOINT');
}

/** The backend whose COMMIT waits. */
async function waitingBackend(): Promise<number> {
  return await until('a COMMIT waits', async () => {
    const { rows } = await admin.query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    return rows[0]?.pid;
  });
}

describe('a COMMIT that is not answered as it should be', () => {
  beforeEach(() => wantStandby('nobody'));
  afterEach(() => wantStandby(''));

  const on = { durability: 'on' } as const;

  it('is not confirmed when its wait was cancelled', async () => {
    const before = await balance(7);
    const waiting = db.tx((t) => t.query(add, [7, 1]), on);
    const caught = waiting.catch((error: unknown) => error);
    await admin.query('SELECT pg_cancel_backend($1)', [await waitingBackend()]);
    expect(await caught).toBeInstanceOf(DurabilityNotConfirmedError);
    expect(await balance(7)).toBe(before + 1);
  });

  it('is unknown when its connection was ended', async () => {
    const caught = db.tx((t) => t.query(add, [7, 1]), on).catch((error: unknown) => error);
    await admin.query('SELECT pg_terminate_backend($1)', [await waitingBackend()]);
    expect(await caught).toBeInstanceOf(CommitUnknownError);
    expect(told.at(-1)).toMatchObject({ outcome: 'unknown' });
  });

  it('is found by its key, and done once', async () => {
    const before = await balance(8);
    let runs = 0;
    const work = async (t: Transaction): Promise<{ runs: number }> => {
      runs += 1;
      await t.query(add, [8, 1]);
      return { runs };
    };
    const paid = db.tx(work, { ...on, idempotencyKey: 'order-1' });
    await admin.query('SELECT pg_terminate_backend($1)', [await waitingBackend()]);
    // The question whether it is there writes as well, and waits as it did: a standby comes.
    await waitingBackend();
    await wantStandby('');
    expect(await paid).toEqual({ runs: 1 });
    expect(runs).toBe(1);
    expect(await balance(8)).toBe(before + 1);
    expect(await db.tx(work, { idempotencyKey: 'order-1' })).toEqual({ runs: 1 });
    expect(runs).toBe(1);
  });

  it('is looked up by its id', async () => {
    const before = await balance(9);
    let runs = 0;
    const paid = db.tx(
      async (t) => {
        runs += 1;
        await t.query(add, [9, 1]);
        return runs;
      },
      { ...on, xactStatus: true },
    );
    const caught = paid.catch((error: unknown) => error);
    await admin.query('SELECT pg_terminate_backend($1)', [await waitingBackend()]);
    // It is there; whether any standby has it nobody knows.
    expect(await caught).toBeInstanceOf(DurabilityNotConfirmedError);
    expect(runs).toBe(1);
    expect(await balance(9)).toBe(before + 1);
  });
});

describe('a key', () => {
  it('lets one of many at once through, and tells the others what it answered', async () => {
    const before = await balance(10);
    const same = Array.from({ length: 8 }, (_, n) =>
      db.tx(
        async (t) => {
          await t.query(add, [10, 1]);
          return { by: n };
        },
        { idempotencyKey: 'one-of-eight' },
      ),
    );
    const answers = await Promise.all(same);
    expect(await balance(10)).toBe(before + 1);
    expect(new Set(answers.map(({ by }) => by)).size).toBe(1);
  });

  it('of a transaction that failed may be used again', async () => {
    const failing = db.tx((t) => t.query('SELECT 1/0'), { idempotencyKey: 'again' });
    await expect(failing).rejects.toMatchObject({ code: '22012' });
    expect(await db.tx(async () => 'done', { idempotencyKey: 'again' })).toBe('done');
    expect(await db.tx(async () => 'not this', { idempotencyKey: 'again' })).toBe('done');
  });

  it('needs its table, and says so', async () => {
    const other = openClusterPool(db1, [], { outcomeTable: 'public.nowhere' });
    const missing = other.tx(async () => 1, { idempotencyKey: 'x' });
    await expect(missing).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      cause: expect.objectContaining({ code: '42P01' }),
    });
  });
});

describe('while nobody may write', () => {
  const forbid = async (isForbidden: boolean): Promise<void> => {
    await admin.query(
      `ALTER DATABASE postgres ${isForbidden ? 'SET default_transaction_read_only = on' : 'RESET default_transaction_read_only'}`,
    );
  };
  beforeEach(() => forbid(true));
  afterEach(async () => {
    const client = new pg.Client({ ...reach(db1), database: 'template1' });
    await client.connect();
    await client.query('ALTER DATABASE postgres RESET default_transaction_read_only');
    await client.end();
  });

  it('a transaction fails at once, and the next one without being sent', async () => {
    const modes: string[] = [];
    db.onMode(({ mode }) => modes.push(mode));
    const write = () => db.tx((t) => t.query(add, [1, 1]));
    await expect(write()).rejects.toBeInstanceOf(ReadOnlyModeError);
    await expect(write()).rejects.toMatchObject({ outcome: 'not-sent' });
    expect(db.status().mode).toBe('read-only');
    expect(modes).toEqual(['read-only']);
    expect(await db.tx(async (t) => (await t.query('SELECT 1 AS n')).rows, { readOnly: true })).toEqual([{ n: 1 }]);
  });

  it('one that is to wait is done when it may', async () => {
    const before = await balance(1);
    const waiting = db.tx((t) => t.query(add, [1, 1]), { onReadOnly: 'wait', deadlineMs: 30_000 });
    await until('it was refused', async () => db.status().mode === 'read-only');
    const client = new pg.Client({ ...reach(db1), database: 'template1' });
    await client.connect();
    await client.query('ALTER DATABASE postgres RESET default_transaction_read_only');
    await client.end();
    await waiting;
    expect(await balance(1)).toBe(before + 1);
    expect(db.status().mode).toBe('writable');
  });

  it('one that is to wait does so until its deadline, and one that does not matter is dropped and counted', async () => {
    const late = db.tx((t) => t.query(add, [1, 1]), { onReadOnly: 'wait', deadlineMs: 500 });
    await expect(late).rejects.toBeInstanceOf(ReadOnlyModeError);
    expect(await db.tx((t) => t.query(add, [1, 1]), { onReadOnly: 'drop' })).toBeUndefined();
    expect(db.status().dropped).toBe(1);
  });
});
