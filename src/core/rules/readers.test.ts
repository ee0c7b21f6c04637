import type { TopologyStandby } from '@understudy/client/topology';
import { describe, expect, it } from 'vitest';
import {
  chooseReaders,
  type Readers,
  readerGraceMs,
  readerJoinLagBytes,
  readerLeaveLagBytes,
  readerSettleMs,
} from './readers.ts';

const none: Readers = { chosen: [], candidates: [], straying: [] };

const standby = (node: string, more: Partial<TopologyStandby> = {}): TopologyStandby => ({
  node,
  hostName: `${node}.test`,
  address: `10.0.0.${node.slice(2)}`,
  port: 5432,
  timeline: 1,
  datacenter: null,
  streaming: true,
  lagBytes: 0,
  ...more,
});

const names = (readers: Readers): readonly string[] => readers.chosen.map((reader) => reader.node).toSorted();

describe('chooseReaders', () => {
  it('takes every good standby at first, and none that is behind, unknown or not streaming', () => {
    const standbys = [
      standby('db1'),
      standby('db2', { lagBytes: readerJoinLagBytes + 1 }),
      standby('db3', { lagBytes: null }),
      standby('db4', { streaming: false }),
    ];
    expect(names(chooseReaders('web1', standbys, none, 0))).toEqual(['db1']);
  });

  it('drops one at once, and takes another in only after a while', () => {
    const one = chooseReaders('web1', [standby('db1')], none, 0);
    const both = [standby('db1'), standby('db2')];
    const waiting = chooseReaders('web1', both, one, 1_000);
    expect(names(waiting)).toEqual(['db1']);
    const settled = chooseReaders('web1', both, waiting, 1_000 + readerSettleMs);
    expect(names(settled)).toEqual(['db1', 'db2']);
    expect(names(chooseReaders('web1', [standby('db2')], settled, 3_001))).toEqual(['db2']);
  });

  it('keeps a reader that only lost its stream for a grace, and its place before those that come in later', () => {
    const both = [standby('db1'), standby('db2')];
    const first = chooseReaders('web1', both, none, 0);
    const [leading, other] = first.chosen.map((reader) => reader.node);
    const lost = both.map((one) => (one.node === leading ? { ...one, streaming: false } : one));
    const during = chooseReaders('web1', lost, first, 1_000);
    expect(during.chosen.map((reader) => reader.node)).toEqual([leading, other]);
    expect(chooseReaders('web1', both, during, 2_000).straying).toEqual([]);
    const after = chooseReaders('web1', lost, during, 1_001 + readerGraceMs);
    expect(after.chosen.map((reader) => reader.node)).toEqual([other]);
    const back = chooseReaders('web1', both, after, 20_000);
    const settled = chooseReaders('web1', both, back, 20_000 + readerSettleMs);
    expect(settled.chosen.map((reader) => reader.node)).toEqual([other, leading]);
  });

  it('takes one in at once when the last one is gone', () => {
    const one = chooseReaders('web1', [standby('db1')], none, 0);
    expect(names(chooseReaders('web1', [standby('db2')], one, 1))).toEqual(['db2']);
  });

  it('keeps one whose lag lies between the two limits or is not known for a moment', () => {
    let readers = chooseReaders('web1', [standby('db1')], none, 0);
    for (const lagBytes of [readerJoinLagBytes + 1, readerLeaveLagBytes, null, readerLeaveLagBytes]) {
      readers = chooseReaders('web1', [standby('db1', { lagBytes })], readers, 0);
      expect(names(readers)).toEqual(['db1']);
    }
    readers = chooseReaders('web1', [standby('db1', { lagBytes: readerLeaveLagBytes + 1 })], readers, 0);
    expect(names(readers)).toEqual([]);
  });

  it('spreads the first place over the standbys, and moves only the readers of one that leaves', () => {
    const standbys = [standby('db1'), standby('db2'), standby('db3')];
    const apps = Array.from({ length: 300 }, (_, index) => `web${index}`);
    const first = (app: string, of: readonly TopologyStandby[]) => chooseReaders(app, of, none, 0).chosen[0]?.node;
    const counts = new Map<string, number>();
    for (const app of apps) {
      const before = first(app, standbys) ?? '';
      counts.set(before, (counts.get(before) ?? 0) + 1);
      const after = first(app, standbys.slice(1));
      expect(after === before || before === 'db1').toBe(true);
    }
    for (const count of counts.values()) expect(count).toBeGreaterThan(60);
    expect(counts.size).toBe(3);
  });
});
