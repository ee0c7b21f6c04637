/**
 * Nobody may write, by an order: every pooler serves its writers from a standby, also after the primary moved, until the order
 * is taken back. Status, events and the store know of it.
 */
import pg from 'pg';
import { expect, test } from 'vitest';
import { type TestStage, withStage } from './fixtures/stage.ts';

async function ask(stage: TestStage, sql: string): Promise<unknown> {
  const client = new pg.Client(stage.application());
  client.on('error', () => undefined);
  await client.connect();
  try {
    const result: { rows: { answer?: unknown }[] } = await client.query(sql);
    return result.rows[0]?.answer ?? null;
  } finally {
    await client.end();
  }
}

const isStandby = 'select pg_is_in_recovery() as answer';
const write = 'create table if not exists kept (n int)';

test('read-only serves everyone from a standby until it is taken back', { timeout: 300_000 }, async () => {
  await withStage({ nodes: 2, appNodes: 1 }, async (stage) => {
    await stage.untilHealthy();
    expect(await ask(stage, isStandby)).toBe(false);
    expect(await stage.cli('read-only', 'on', '--reason', 'moving the disks')).toMatchObject({ code: 0 });
    expect(await ask(stage, isStandby)).toBe(true);
    await expect(ask(stage, write)).rejects.toMatchObject({ code: '25006' });
    expect((await stage.cli('status')).stdout).toContain('moving the disks');

    expect(await stage.cli('switchover')).toMatchObject({ code: 0 });
    await stage.until('the old primary serves', ({ primary }) => primary === 'db2');
    await expect(ask(stage, write)).rejects.toMatchObject({ code: '25006' });

    expect(await stage.cli('read-only', 'off')).toMatchObject({ code: 0 });
    await ask(stage, write);
    await stage.untilHealthy();
    const events = (await stage.cli('events')).stdout;
    expect(events).toContain('ordered that nobody may write: moving the disks');
    expect(events).toContain('ended read-only');
  });
});
