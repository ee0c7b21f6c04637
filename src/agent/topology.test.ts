import { expect, it } from 'vitest';
import { nodeSpec, specOf, storedSpec } from '../../test/fixtures/spec.ts';
import {
  clusterView,
  held,
  memberPrimary,
  memberStandby,
  memberStatus,
  members,
  memoryRenewed,
  primary,
} from '../../test/fixtures/view.ts';
import { buildTopology } from './topology.ts';

it('names no delayed standby: readers would see the past', () => {
  const postgres = memberStandby({ receivedLsn: '0/3000000', replayedLsn: '0/3000000', streamingFrom: 'db1', lagS: 0 });
  const spec = specOf([], {
    nodes: [nodeSpec('db1'), nodeSpec('db2'), nodeSpec('db3', { failover: 'never', applyDelayMs: 60_000 })],
  });
  const all = [
    memberStatus('db1', { postgres: memberPrimary() }),
    memberStatus('db2', { postgres }),
    memberStatus('db3', { postgres }),
  ];
  const view = clusterView({
    postgres: primary(),
    store: { spec: storedSpec(spec), members: members(...all), lease: held('db1') },
  });
  const seen = { counter: 1, atMs: view.nowMs, moved: true };
  const memory = { ...memoryRenewed(0), memberSeen: new Map(all.map(({ node }) => [node, seen])) };
  expect(buildTopology(view, memory).standbys.map(({ node }) => node)).toEqual(['db2']);
});
