/** What a standby that has cut itself off says of its position: real servers, whose processes die with what they knew. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { controlTimeline, readControl } from '../src/postgres/control-file.ts';
import { processesIn } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import { soon, type TestNode, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const servers = testServers();

const rows = { text: 'select count(*)::int as n from public.t', row: z.object({ n: z.number() }) };

/** db2 was promoted in db1's stead, db3 has followed it and has what it committed since. */
async function followedToTheSecondTimeline(): Promise<TestNode> {
  const parameters = { checkpoint_timeout: '1h' };
  const { db1, db2, db3 } = await servers.replicate({ nodes: ['db1', 'db2', 'db3'], parameters });
  await db1.sql.execute('create table public.t (i int)', 20_000);
  await db1.postgres.stop({ patienceMs: 20_000, awaitStandby: null }, soon);
  await db2.postgres.promote(2, soon);
  await db2.postgres.applySlots([{ name: db3.slot, advanceTo: null }], soon);
  await db3.postgres.follow(db2.upstream, db3.slot, soon);
  await until('db3 streams', async () => (await db3.observe('standby')).receiver === 'streaming');
  await db2.sql.execute('insert into public.t select generate_series(1, 100)', 20_000);
  await until('db3 has all', async () => (await db3.sql.query(rows, 5_000))[0]?.n === 100, 60_000);
  return db3;
}

const knownEnd = (node: TestNode) =>
  until(`${node.name} knows its end`, async () => {
    const seen = await node.observe('standby');
    return seen.walEnd === null ? undefined : seen;
  });

function timelineInControlFile(node: TestNode): number | null {
  const reading = readControl(node.layout.controlFile);
  return reading.found === 'control' ? controlTimeline(reading.control) : null;
}

describe('the position after a failover', () => {
  it('is on the timeline of its WAL when the server has crashed, although the control file lags behind', async () => {
    const before = await followedToTheSecondTimeline();
    const { replayedLsn } = await before.observe('standby');
    for (const process of processesIn(before.layout.data)) sendSignal(process, 'SIGKILL');
    await until('it is down', async () => (await before.postgres.observe(5_000)).state === 'stopped');
    expect(timelineInControlFile(before)).toBe(1);
    const db3 = before.reborn();
    await db3.configure();
    await db3.postgres.start({ role: 'standby', upstream: null, slot: db3.slot }, soon);
    const { timeline, walEnd } = await knownEnd(db3);
    expect(walEnd ?? 0n).toBeGreaterThanOrEqual(replayedLsn);
    expect(timeline).toBe(2);
  });

  it('is on the timeline of its WAL for an agent that has seen nothing of the stream', async () => {
    const before = await followedToTheSecondTimeline();
    await before.postgres.cutOff(soon);
    const { timeline } = await knownEnd(before.reborn());
    expect(timeline).toBe(2);
  });
});
