import { describe, expect, it } from 'vitest';
import { verdict } from '../../../test/fixtures/verdict.ts';
import {
  clusterView,
  memberStatus,
  members,
  memoryRenewed,
  nowMs,
  primary,
  standby,
  stopped,
  stored,
} from '../../../test/fixtures/view.ts';
import type { ClusterView } from '../cluster-view.ts';
import { decide } from '../decide.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import type { DatabaseMemory } from '../memory.ts';

const crashed = stopped({ shutdown: 'crashed' });
const standbys = members(memberStatus('db2'), memberStatus('db3'));
const durability = stored({ term: 5, standbys: ['db2', 'db3'], k: 1, holder: 'db1' });
const mebibyte = 1024 * 1024;

const crashedBefore = (...agoMs: readonly number[]): DatabaseMemory => ({
  ...memoryRenewed(10),
  crashes: { running: null, at: agoMs.map((ago) => nowMs - ago) },
});

function decided(memory: DatabaseMemory, peers: ClusterView['store']['members'], diskFreeBytes: number | null = null) {
  return verdict(
    decide(clusterView({ postgres: crashed, diskFreeBytes, store: { members: peers, durability } }), memory),
  );
}

describe('a primary that went down', () => {
  it.each<[string, DatabaseMemory, ClusterView['store']['members'], number | null, string]>([
    ['once starts again', crashedBefore(10), standbys, null, 'start primary'],
    ['twice starts again', crashedBefore(60_000, 10), standbys, null, 'start primary'],
    ['a third time hands over', crashedBefore(120_000, 60_000, 10), standbys, null, 'release-lease to nobody'],
    ['the first two long ago starts again', crashedBefore(400_000, 301_000, 10), standbys, null, 'start primary'],
    ['a third time with nobody else waits', crashedBefore(120_000, 60_000, 10), new Map(), null, 'wait crashes'],
    ['and has waited starts again', crashedBefore(120_000, 60_000, 2_000), new Map(), null, 'start primary'],
    ['ever more often waits longer', crashedBefore(9_000, 8_000, 7_000, 6_000, 5_000), new Map(), null, 'wait crashes'],
    [
      'on a full disk hands over to those with room',
      crashedBefore(10),
      standbys,
      63 * mebibyte,
      'release-lease to nobody',
    ],
    [
      'on a full disk among full disks starts again',
      crashedBefore(10),
      members(memberStatus('db2', { diskFreeBytes: 0 }), memberStatus('db3', { diskFreeBytes: 0 })),
      0,
      'start primary',
    ],
    ['with enough room starts again', crashedBefore(10), standbys, 64 * mebibyte, 'start primary'],
  ])('%s', (_, memory, peers, free, expected) => {
    expect(decided(memory, peers, free)).toBe(expected);
  });
});

describe('a crash', () => {
  const at = (postgres: LocalPostgres, memory: DatabaseMemory) =>
    decide(clusterView({ postgres }), memory).memory.crashes;

  it('is the end of a primary that was seen to run, counted once', () => {
    const ran = { ...crashedBefore(), crashes: at(primary(), crashedBefore()) };
    expect(ran.crashes).toEqual({ running: 50, at: [] });
    const down = { ...ran, crashes: at({ state: 'orphaned', pid: 51 }, ran) };
    expect(down.crashes).toEqual(ran.crashes);
    const gone = { ...down, crashes: at(crashed, down) };
    expect(gone.crashes).toEqual({ running: null, at: [nowMs] });
    expect(at(crashed, gone)).toEqual(gone.crashes);
  });

  it('is neither a clean stop nor the end of a standby', () => {
    const ran = { ...crashedBefore(), crashes: { running: 50, at: [] } };
    expect(at(stopped(), ran)).toEqual({ running: null, at: [] });
    expect(at(standby(), crashedBefore(10))).toEqual({ running: null, at: [] });
  });
});
