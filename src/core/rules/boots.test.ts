import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clusterView,
  memberStatus,
  members,
  memoryRenewed,
  nowMs,
  peer,
  primary,
  standby,
  stored,
} from '../../../test/fixtures/view.ts';
import { type Ballot, elect } from '../ballot.ts';
import type { ClusterView } from '../cluster-view.ts';
import { decide } from '../decide.ts';
import type { ReplicationPeer } from '../local-postgres.ts';
import { formatLsn, lsnFromOffset } from '../lsn.ts';
import { assess } from '../situation.ts';
import { recordedBoots } from './boots.ts';

const before = { db2: 'old', db3: 'old' };

function recorded(peers: readonly ReplicationPeer[], postgres: ClusterView['postgres'] = primary({ peers })) {
  const view = clusterView({
    postgres,
    store: {
      members: members(memberStatus('db2', { bootId: 'new' }), memberStatus('db3')),
      renewal: stored({ term: 5, counter: 9, boots: before }, 41),
    },
  });
  const memory = {
    ...memoryRenewed(10),
    memberSeen: new Map([
      ['db2', { counter: 5, atMs: nowMs, moved: true }],
      ['db3', { counter: 5, atMs: nowMs, moved: true }],
    ]),
  };
  return recordedBoots(assess(view, memory));
}

describe('the boots of a renewal', () => {
  it('follow a standby that has caught up in a new boot', () => {
    expect(recorded([peer('db2')])).toEqual({ db2: 'new', db3: 'old' });
  });

  it('stay as they were for one that catches up, is away, or left an old connection behind', () => {
    expect(recorded([peer('db2', { state: 'catchup' })])).toEqual(before);
    expect(recorded([])).toEqual(before);
    expect(recorded([peer('db2', { replyAgeMs: 2_501 })])).toEqual(before);
    expect(recorded([peer('db2', { replyAgeMs: null })])).toEqual(before);
    expect(recorded([peer('db2')], standby())).toEqual(before);
  });

  it('go with each renewal', () => {
    const renewal = decide(clusterView({ postgres: primary() }), memoryRenewed(1_100)).actions[0];
    expect(renewal).toMatchObject({ do: 'renew-lease', boots: {} });
  });
});

const at = (offset: number): string => formatLsn(lsnFromOffset(BigInt(offset)));
const ballot = (node: string, offset: number, bootId = 'old'): Ballot => ({
  node,
  term: 2,
  timeline: 1,
  lsn: at(offset),
  bootId,
  priority: 0,
  unfit: null,
});
const election = (k: number, boots: Readonly<Record<string, string>>, ...ballots: Ballot[]) =>
  elect({
    term: 2,
    lastHolder: 'db1',
    durability: { term: 1, standbys: ['db2', 'db3'], k },
    ballots,
    timelines: new Map([[1, { term: 1, timeline: 1, parent: null, forkLsn: '0/0' }]]),
    silent: new Set(),
    written: null,
    lossLimitBytes: null,
    boots,
    candidates: null,
    accepted: null,
  });

describe('a ballot of another boot than the recorded one', () => {
  it('counts for commits that waited for a flush, and not for remote_write', () => {
    const result = election(1, before, ballot('db2', 300), ballot('db3', 200, 'new'));
    expect(result).toMatchObject({ winner: 'db2', rebooted: ['db3'] });
  });

  it('is not missed where enough others are heard, or the last holder itself', () => {
    expect(election(2, before, ballot('db2', 300), ballot('db3', 200, 'new')).rebooted).toEqual([]);
    const holder = election(1, before, ballot('db1', 300, 'any'), ballot('db2', 300, 'new'), ballot('db3', 200, 'new'));
    expect(holder).toMatchObject({ winner: 'db1', rebooted: [] });
  });

  it('is one of the same boot where nothing was recorded, or nothing has changed', () => {
    expect(election(1, {}, ballot('db2', 300), ballot('db3', 200, 'new')).rebooted).toEqual([]);
    expect(election(1, before, ballot('db2', 300), ballot('db3', 200)).rebooted).toEqual([]);
  });

  it('never lets a lost remote_write commit go unmentioned', () => {
    const reach = fc.record({ written: fc.nat(50), flushed: fc.nat(50), rebooted: fc.boolean() });
    fc.assert(
      fc.property(reach, reach, fc.constantFrom(1, 2), (two, three, k) => {
        const stand = ({ written, flushed, rebooted }: { written: number; flushed: number; rebooted: boolean }) => {
          const kept = rebooted ? Math.min(written, flushed) : written;
          return { written, kept, boot: rebooted ? 'new' : 'old' };
        };
        const [a, b] = [stand(two), stand(three)];
        const result = election(k, before, ballot('db2', 100 + a.kept, a.boot), ballot('db3', 100 + b.kept, b.boot));
        const winner = result.winner === 'db2' ? a : b;
        // Acknowledged is what k of the two had written.
        const acknowledged = k === 1 ? Math.max(a.written, b.written) : Math.min(a.written, b.written);
        if (result.winner !== null && winner.kept < acknowledged) expect(result.rebooted).not.toEqual([]);
      }),
    );
  });
});
