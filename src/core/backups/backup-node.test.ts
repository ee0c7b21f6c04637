import { expect, it } from 'vitest';
import { exampleRecords } from '../../../test/fixtures/records.ts';
import type { BackupRun } from '../backup-run.ts';
import { type BackupCandidate, type BackupNodeFacts, chooseBackupNode } from './backup-node.ts';

type Standby = Extract<BackupCandidate['postgres'], { readonly state: 'standby' }>;

function standby(
  node: string,
  change: Partial<BackupCandidate> = {},
  postgres: Partial<Standby> = {},
): BackupCandidate {
  return {
    ...{ node, role: 'database', priority: 100, failover: 'allowed', applyDelayMs: null, lagBytes: 0 },
    ...{ reachable: 'yes', trouble: null },
    postgres: {
      ...{ state: 'standby', timeline: 4, receivedLsn: null, replayedLsn: '0/3000000', streamingFrom: 'db1', lagS: 0 },
      ...postgres,
    },
    ...change,
  };
}
const db1 = standby('db1', { postgres: { state: 'primary', timeline: 4, lsn: '0/3000000' } });
const choose = (nodes: readonly BackupCandidate[], facts: Partial<BackupNodeFacts> = {}) =>
  chooseBackupNode([...nodes, db1, standby('mon0', { role: 'witness', postgres: null })], {
    ...{ primary: 'db1', from: 'standby', isReady: true, named: null },
    ...facts,
  });
const ended = (change: Partial<BackupRun>): BackupRun => ({ ...exampleRecords['backup-run'], ...change });

it.each<[string, string, readonly BackupCandidate[]]>([
  ['the only standby', 'db2', [standby('db2')]],
  ['one that never becomes primary', 'db2', [standby('db2', { failover: 'never' }), standby('db3', { priority: 0 })]],
  ['the one of lower priority', 'db3', [standby('db2'), standby('db3', { priority: 50 })]],
  ['none that is silent', 'db2', [standby('db2'), standby('db3', { reachable: 'no' })]],
  ['none that replays with a delay', 'db2', [standby('db2'), standby('db3', { applyDelayMs: 1 })]],
  ['none that streams from another', 'db2', [standby('db2'), standby('db3', {}, { streamingFrom: 'db2' })]],
  ['none that does not stream', 'db2', [standby('db2'), standby('db3', {}, { streamingFrom: null })]],
  ['none on another timeline', 'db2', [standby('db2'), standby('db3', {}, { timeline: 3 })]],
  ['none that is far behind', 'db2', [standby('db2'), standby('db3', { lagBytes: 100 * 1_048_576 })]],
  ['none of which that is not known', 'db2', [standby('db2'), standby('db3', { lagBytes: null })]],
  ['none that is cloned now', 'db2', [standby('db2'), standby('db3', { postgres: { state: 'stopped' } })]],
  ['the primary where no standby can', 'db1', [standby('db2', { trouble: 'disk' })]],
  ['the primary that is alone', 'db1', []],
])('chooses %s', (_, node, nodes) => {
  expect(choose(nodes)).toEqual({ node });
});

it('has the primary do what is declared so, what it has not prepared, and what a standby failed at', () => {
  const nodes = [standby('db2')];
  expect(choose(nodes, { from: 'primary' })).toEqual({ node: 'db1' });
  expect(choose(nodes, { isReady: false })).toEqual({ node: 'db1' });
  expect(choose(nodes, { last: ended({ state: 'failed', node: 'db2' }) })).toEqual({ node: 'db1' });
  expect(choose(nodes, { last: ended({ state: 'failed', node: 'db1' }) })).toEqual({ node: 'db2' });
  expect(choose(nodes, { last: ended({ state: 'done', node: 'db2' }) })).toEqual({ node: 'db2' });
});

it('takes one that was named, and says why not', () => {
  const nodes = [standby('db2'), standby('db3', { lagBytes: 100 * 1_048_576 }), standby('db4', {}, { timeline: 3 })];
  const failed = { last: ended({ state: 'failed', node: 'db2' }) };
  expect(choose(nodes, { named: 'db2', ...failed })).toEqual({ node: 'db2' });
  expect(choose(nodes, { named: 'db1' })).toEqual({ node: 'db1' });
  expect(choose(nodes, { named: 'db3' })).toEqual({ refused: 'db3 is 100 MB behind' });
  expect(choose(nodes, { named: 'db4' })).toEqual({ refused: 'db4 is not known to be on the timeline of db1' });
  expect(choose(nodes, { named: 'mon0' })).toEqual({ refused: 'mon0 is no database node' });
});

it('has no standby do it while the timeline of the primary is not known', () => {
  const facts = { primary: 'db1', from: 'standby', isReady: true, named: null } as const;
  expect(chooseBackupNode([standby('db2')], facts)).toEqual({ node: 'db1' });
});
