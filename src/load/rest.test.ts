/** When a cluster counts as at rest, with servers that are no more than their answers. */
import { describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import { type Rest, untilRest } from './rest.ts';

interface Server {
  recovery: boolean;
  lsn: string | null;
  timeline: number | null;
  writing: number;
  silent: boolean;
}

const primary = (): Server => ({ recovery: false, lsn: '0/5000', timeline: 1, writing: 0, silent: false });
const standby = (): Server => ({ recovery: true, lsn: '0/5000', timeline: 1, writing: 0, silent: false });

interface Waited extends Rest {
  readonly told: readonly string[];
  readonly looks: number;
}

/** `meanwhile`: what happens before each look but the first, counted from 1. */
async function waitFor(
  servers: Readonly<Record<string, Server>>,
  meanwhile: (look: number) => void = () => undefined,
  hurry: AbortSignal = new AbortController().signal,
): Promise<Waited> {
  let looks = 0;
  const told: string[] = [];
  const clock = new HandClock(() => {
    looks += 1;
    meanwhile(looks);
  });
  const nodes = Object.entries(servers).map(([node, server]) => ({
    node,
    query: () => {
      const { silent, ...row } = server;
      return silent ? Promise.reject(new Error('no answer')) : Promise.resolve([row]);
    },
  }));
  const wanted = { nodes, database: 'shop', tables: 'load_', withinMs: 2_000, clock, hurry };
  const rest = await untilRest({ ...wanted, report: (missing) => told.push(...missing) });
  return { ...rest, told, looks };
}

describe('rest', () => {
  it('is reached when one node can be written and the others have what it had after the last writer', async () => {
    const { caughtUp, missing } = await waitFor({ db1: primary(), db2: standby(), db3: standby() });
    expect({ missing, caughtUp: [...caughtUp] }).toEqual({ missing: [], caughtUp: ['db1', 'db2', 'db3'] });
  });

  it('is waited for until the last writer is gone, and its commit replayed', async () => {
    const [db1, db2] = [{ ...primary(), writing: 1 }, standby()];
    const { looks, missing } = await waitFor({ db1, db2 }, (look) => {
      if (look === 3) Object.assign(db1, { writing: 0, lsn: '0/6000' });
      if (look === 8) db2.lsn = '0/6000';
    });
    expect({ looks, missing }).toEqual({ looks: 8, missing: [] });
  });

  it('is not waited for beyond what was there at the beginning: other applications go on', async () => {
    const [db1, db2] = [primary(), { ...standby(), lsn: '0/4000' }];
    const { missing } = await waitFor({ db1, db2 }, (look) => {
      db1.lsn = `0/${(0x5000 + look * 0x100).toString(16)}`;
      db2.lsn = `0/${(0x4000 + look * 0x200).toString(16)}`;
    });
    expect(missing).toEqual([]);
  });

  it('begins anew with another primary', async () => {
    const [db1, db2] = [primary(), { ...standby(), lsn: '0/4000' }];
    const { caughtUp, missing } = await waitFor({ db1, db2 }, (look) => {
      if (look === 4) Object.assign(db1, { silent: true });
      if (look === 5) Object.assign(db2, { recovery: false, timeline: 2, lsn: '0/9000' });
      if (look === 9) Object.assign(db1, { silent: false, recovery: true, timeline: null, lsn: '0/5000' });
      if (look === 12) Object.assign(db1, { timeline: 2 });
      if (look === 15) Object.assign(db1, { lsn: '0/9000' });
    });
    expect({ missing, caughtUp: [...caughtUp] }).toEqual({ missing: [], caughtUp: ['db1', 'db2'] });
  });

  it.each<[string, Record<string, Partial<Server>>, RegExp]>([
    ['nobody can be written', { db1: { recovery: true } }, /no node can be written/],
    ['two can be written', { db2: { recovery: false } }, /db1 and db2 can be written/],
    ['a node does not answer', { db2: { silent: true } }, /db2 does not answer: no answer/],
    ['a standby does not stream', { db2: { timeline: null } }, /db2 does not stream/],
    ['a standby streams another timeline', { db2: { timeline: 2 } }, /db2 streams timeline 2, not 1/],
    ['a standby has not replayed it', { db2: { lsn: '0/4000' } }, /db2 has not replayed 0\/5000, 4096 B behind/],
    ['a standby has replayed nothing', { db2: { lsn: null } }, /db2 has not replayed 0\/5000/],
    ['somebody writes', { db1: { writing: 2 } }, /db1 has transactions of the load under way/],
  ])('is not reached while %s, and ends at its deadline', async (_, changes, expected) => {
    const servers = { db1: { ...primary(), ...changes.db1 }, db2: { ...standby(), ...changes.db2 } };
    const { missing, told, tookMs } = await waitFor(servers);
    expect(missing.join()).toMatch(expected);
    expect(told.join()).toMatch(expected);
    expect(tookMs).toBeGreaterThan(2_000);
    expect(tookMs).toBeLessThan(2_500);
  });

  it('is not waited for in a hurry', async () => {
    const hurry = new AbortController();
    const { looks, missing } = await waitFor(
      { db1: primary(), db2: { ...standby(), timeline: null } },
      (look) => {
        if (look === 4) hurry.abort();
      },
      hurry.signal,
    );
    expect({ looks, missing }).toEqual({ looks: 4, missing: ['db2 does not stream'] });
  });
});
