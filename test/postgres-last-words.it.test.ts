/** What a dead primary wrote and nobody received reaches a standby that has cut itself off: real servers, real files. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { upstreamFile } from '../src/postgres/layout.ts';
import { processesIn, readCommandLine } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import { soon, type TestNode, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const servers = testServers();

const isReceiver = ({ pid }: { readonly pid: number }): boolean => /walreceiver/.test(readCommandLine(pid)[0] ?? '');

/** db2 is cut off, and after that db1 commits `rows` of 1 kB that nobody receives; then all of db1 dies at once. */
async function dieWith(rows: number): Promise<{ readonly db1: TestNode; readonly db2: TestNode }> {
  const { db1, db2 } = await servers.replicate({ nodes: ['db1', 'db2'] });
  await db1.sql.execute('create table public.t (i int, x text)', 20_000);
  await db1.sql.execute("insert into public.t values (0, 'received')", 20_000);
  const before = await db1.observe('primary');
  await until('db2 has all', async () => (await db2.observe('standby')).replayedLsn >= before.insertLsn);
  await db2.postgres.cutOff(soon);
  await db1.sql.execute(`insert into public.t select i, repeat('x', 1000) from generate_series(1, ${rows}) i`, 60_000);
  for (const process of processesIn(db1.layout.data)) sendSignal(process, 'SIGKILL');
  await until('db1 is down', async () => (await db1.postgres.observe(5_000)).state === 'stopped');
  await until('db2 knows its end', async () => (await db2.observe('standby')).walEnd !== null);
  return { db1, db2 };
}

const count = async (node: TestNode): Promise<number> => {
  const row = z.object({ n: z.number() });
  const [found] = await node.sql.query({ text: 'select count(*)::int as n from public.t', row }, 20_000);
  return found?.n ?? -1;
};

describe('last words', () => {
  it.each([1, 20_000])(
    'of %i rows are replayed, nothing is acknowledged, and a promotion keeps them',
    async (rows) => {
      const { db1, db2 } = await dieWith(rows);
      const before = await db2.observe('standby');
      const bytes = await db2.postgres.hearWal((request) => db1.postgres.readWal(request), soon);
      expect(bytes).toBeGreaterThan(rows * 1_000);
      const after = await until('its end is known', async () => {
        const seen = await db2.observe('standby');
        return seen.walEnd === null ? undefined : seen;
      });
      expect(after.walEnd ?? 0n).toBe((before.walEnd ?? 0n) + BigInt(bytes));
      expect(after.upstream).toBeNull();
      expect(processesIn(db2.layout.data).some(isReceiver)).toBe(false);
      expect(readFileSync(join(db2.layout.data, upstreamFile), 'utf8')).not.toContain('restore_command');
      expect(existsSync(join(db2.layout.state, 'last-words'))).toBe(false);
      await db2.postgres.promote(null, soon);
      await db2.observe('primary');
      expect(await count(db2)).toBe(rows + 1);
    },
    120_000,
  );

  it('are not told by a server that lives, and not of places that are none', async () => {
    const { db1 } = await dieWith(1);
    const file = '000000010000000000000001';
    expect(await db1.postgres.readWal({ file: '../global/pg_control', offset: 0 })).toBeNull();
    expect(await db1.postgres.readWal({ file, offset: 1 })).toBeNull();
    expect(await db1.postgres.readWal({ file: '0000000100000000000000EE', offset: 0 })).toEqual({
      data: '',
      isEnd: true,
    });
    await db1.postgres.start({ role: 'primary' }, soon);
    expect(await db1.postgres.readWal({ file, offset: 0 })).toBeNull();
  }, 120_000);

  it('of another history are refused, and leave the standby as it was', async () => {
    const { db1, db2 } = await dieWith(1);
    const before = await db2.observe('standby');
    const changed = async (request: Parameters<TestNode['postgres']['readWal']>[0]) => {
      const piece = await db1.postgres.readWal(request);
      if (piece === null) return null;
      const bytes = Buffer.from(piece.data, 'base64');
      bytes[8_192 + 100] = (bytes[8_192 + 100] ?? 0) ^ 1;
      return { ...piece, data: bytes.toString('base64') };
    };
    await expect(db2.postgres.hearWal(changed, soon)).rejects.toThrow('not a continuation');
    expect((await db2.observe('standby')).walEnd).toBe(before.walEnd);
    expect(readFileSync(join(db2.layout.data, upstreamFile), 'utf8')).not.toContain('restore_command');
  }, 120_000);
});
