import { describe, expect, it } from 'vitest';
import {
  clusterView,
  memoryOfAMinute,
  nowMs,
  poolerReport,
  stored,
  type ViewChange,
} from '../../test/fixtures/view.ts';
import { lastHeardMs, latestReport, poolerReach, reachOf } from './reach.ts';

/** How db1 hears db2, whose counter moved `ms` ago. */
const heardAgo = (ms: number, change: ViewChange = {}) => reachOf(clusterView(change), new Map([['db2', ms]]))('db2');

describe('a member', () => {
  it('is heard for 6 s after its counter moved', () => {
    expect(heardAgo(6_000)).toBe('yes');
    expect(heardAgo(6_001)).toBe('no');
  });

  it('is not known when it was never looked for, and neither is a silent one while the store is silent', () => {
    expect(reachOf(clusterView(), new Map())('db2')).toBe('unknown');
    expect(heardAgo(6_001, { store: { confirmedAtMs: nowMs - 6_001 } })).toBe('unknown');
    expect(heardAgo(6_001, { store: { confirmedAtMs: null } })).toBe('unknown');
    expect(heardAgo(6_000, { store: { confirmedAtMs: null } })).toBe('yes');
  });

  it('always hears itself', () => {
    expect(reachOf(clusterView({ store: { confirmedAtMs: null } }), new Map())('db1')).toBe('yes');
  });

  it('whose counter stands still is silent only when it has been looked at for long enough', () => {
    const memberSeen = new Map([
      ['db2', { counter: 1, atMs: nowMs - 6_000, moved: false }],
      ['db3', { counter: 1, atMs: nowMs - 6_001, moved: false }],
      ['db4', { counter: 1, atMs: nowMs - 10, moved: true }],
    ]);
    expect(lastHeardMs(clusterView(), { ...memoryOfAMinute(), memberSeen })).toEqual(
      new Map([
        ['db3', 6_001],
        ['db4', 10],
      ]),
    );
  });
});

describe('a pooler', () => {
  const old = new Map([['web1', { report: poolerReport({ clients: 1 }), atMs: nowMs - 6_001 }]]);
  const store = { poolers: new Map([['web1', stored(poolerReport({ clients: 77 }))]]) };
  const clients = (change: ViewChange) => latestReport(clusterView({ store, ...change }), 'web1')?.clients;

  it('is silent to the holder alone, whom it reports to', () => {
    expect(poolerReach(clusterView({ reports: old }), 'web1')).toBe('no');
    expect(poolerReach(clusterView({ reports: old, self: 'db2' }), 'web1')).toBe('unknown');
    expect(poolerReach(clusterView(), 'web1')).toBe('unknown');
  });

  it('is known by what the holder keeps in the store where an own report is older', () => {
    expect(clients({ reports: old })).toBe(1);
    expect(clients({ reports: old, self: 'db2' })).toBe(77);
    expect(clients({})).toBe(77);
    expect(clients({ reports: old, self: 'db2', store: {} })).toBe(1);
  });
});
