import { describe, expect, it } from 'vitest';
import { noRequests, nowMs, primary, standby, storeView } from '../../test/fixtures/view.ts';
import type { LocalPostgres } from '../core/local-postgres.ts';
import { FreeDisk } from './free-disk.ts';
import { Lookout, type LookoutParts } from './lookout.ts';

/** What a server is asked for, and what a lookout makes of it. */
function lookout(change: Partial<LookoutParts> = {}, seen: LocalPostgres = primary()) {
  const asked: string[] = [];
  const quiet: boolean[] = [];
  const clock = { boottimeMs: () => nowMs, wallClock: () => new Date(0), sleep: async () => {} };
  const parts: LookoutParts = {
    node: 'db1',
    version: '0.1.0',
    bootId: 'boot-1',
    clock,
    postgres: {
      observe: async (_, depth = 'whole') => {
        asked.push(depth);
        return seen;
      },
    },
    mirror: { view: storeView() },
    reports: { all: new Map() },
    binding: { record: { kind: 'none' } },
    jobs: { running: null, last: new Map() },
    probing: { tick: (_, isQuiet) => void quiet.push(isQuiet), last: null },
    disk: new FreeDisk(clock, async () => 1_000),
    requests: () => noRequests,
    before: () => null,
    isMoving: () => false,
    ...change,
  };
  return { lookout: new Lookout(parts), asked, quiet };
}

describe('a look', () => {
  it('asks the server, and for no more than it must while the primary moves', async () => {
    const atRest = lookout();
    expect(await atRest.lookout.observe()).toMatchObject({ self: 'db1', postgres: { state: 'primary' }, nowMs });
    const moving = lookout({ isMoving: () => true });
    await moving.lookout.observe();
    expect([atRest.asked, atRest.quiet, moving.asked, moving.quiet]).toEqual([['whole'], [false], ['brief'], [true]]);
  });

  it('leaves a server alone that is being stopped, once its process is known', async () => {
    const running = { kind: 'stop' as const, startedAtMs: 0, progress: null };
    const jobs = { running, last: new Map() };
    const known = lookout({ jobs, before: () => standby({ pid: 50 }) });
    expect((await known.lookout.observe()).postgres).toEqual({ state: 'stopping', pid: 50 });
    const unknown = lookout({ jobs, before: () => ({ state: 'absent' }) });
    await unknown.lookout.observe();
    expect([known.asked, unknown.asked, known.quiet]).toEqual([[], ['whole'], [true]]);
  });

  it('at nothing shows that nothing is known', () => {
    const { lookout: blind, asked } = lookout();
    expect(blind.blank()).toMatchObject({ postgres: { state: 'unknown', pid: null }, diskFreeBytes: null });
    expect(asked).toEqual([]);
  });
});
