/** Who would take over if db1 died now, by what each node is known to be. */
import { describe, expect, it } from 'vitest';
import { nodeSpec, spec3, specOf, storedSpec } from '../../test/fixtures/spec.ts';
import {
  clusterView,
  memberPrimary,
  memberStandby,
  memberStatus,
  members,
  peer,
  plus,
  primary,
  standby,
  stored,
  type ViewChange,
  walEnd,
} from '../../test/fixtures/view.ts';
import type { ClusterView, MemberStatus } from './cluster-view.ts';
import { defaultDurability } from './declared-durability.ts';
import { forecast } from './forecast.ts';
import { formatLsn } from './lsn.ts';
import type { Spec } from './spec.ts';

const k1 = stored({ term: 5, standbys: ['db2', 'db3'], k: 1 });
const both = [memberStatus('db2', { postgres: memberStandby() }), memberStatus('db3', { postgres: memberStandby() })];
const behind = (name: string, bytes: number) => peer(name, { state: 'streaming', flushLsn: plus(walEnd, -bytes) });

/** As db1 sees it, which holds the lease and is primary. */
function seen(change: ViewChange & { readonly all?: readonly MemberStatus[]; readonly spec?: Spec } = {}): ClusterView {
  const { all = both, spec = spec3(), store, ...rest } = change;
  const peers = [behind('db2', 0), behind('db3', 0)];
  return clusterView({
    postgres: primary({ insertLsn: walEnd, peers }),
    ...rest,
    store: { spec: storedSpec(spec), durability: k1, members: members(...all), ...store },
  });
}
const heard = () => 'yes' as const;
const allBut = (silent: string) => (node: string) => (node === silent ? ('no' as const) : ('yes' as const));

describe('the forecast', () => {
  it('says who takes over, how soon, and what is at risk', () => {
    const postgres = primary({ insertLsn: walEnd, peers: [behind('db2', 300), behind('db3', 100)] });
    expect(forecast(seen({ postgres }), heard)).toMatchObject({
      primary: 'db1',
      takesOver: 'db3',
      withinMs: 7_060,
      atRiskBytes: 100,
      candidates: [
        { node: 'db3', standing: 'first', lacksBytes: 100 },
        { node: 'db2', standing: 'refused', text: 'has all of 1 of 2 synchronous standbys; 2 are needed' },
      ],
    });
  });

  it('is the same at a standby, by what the primary last said of itself', () => {
    const flushed = { db2: formatLsn(plus(walEnd, -8)), db3: formatLsn(walEnd) };
    const said = memberStatus('db1', { postgres: { ...memberPrimary(), lsn: formatLsn(walEnd), flushed } });
    const view = seen({ self: 'db2', postgres: standby(), all: [...both, said] });
    expect(forecast(view, heard)).toMatchObject({ takesOver: 'db3', atRiskBytes: 0 });
  });

  it('elects nobody whose certificate was revoked, whatever he says himself', () => {
    const shutOut = new Set(['db2']);
    expect(forecast(seen({ store: { shutOut } }), heard)).toMatchObject({
      takesOver: 'db3',
      candidates: [
        { node: 'db3', standing: 'first' },
        { node: 'db2', standing: 'refused', text: 'its certificate was revoked' },
      ],
    });
  });

  it('names every node with its reason, while all is well', () => {
    const nodes = [
      nodeSpec('db1'),
      nodeSpec('db2'),
      nodeSpec('db3', { priority: 200 }),
      nodeSpec('db4', { failover: 'never' }),
    ];
    const view = seen({ spec: spec3({ nodes }), all: [...both, memberStatus('db4', { postgres: memberStandby() })] });
    expect(forecast(view, heard)?.candidates).toMatchObject([
      { node: 'db3', standing: 'first' },
      { node: 'db2', standing: 'able', text: 'db3 has a higher priority, 200 to 100' },
      { node: 'db4', standing: 'refused', text: 'its declaration says `failover: never`' },
    ]);
  });

  it.each<[string, Parameters<typeof seen>[0], (node: string) => 'yes' | 'no', string]>([
    ['too few would be heard', {}, allBut('db3'), 'db3 may have what was acknowledged, and would not be heard'],
    ['no standby is there', { all: [] }, heard, 'no standby is there'],
    [
      'commits go on unreplicated',
      { store: { durability: stored({ term: 5, standbys: [], k: 0, degraded: true }) } },
      heard,
      'only db1 itself knows what was acknowledged',
    ],
    [
      'all are too far behind',
      {
        spec: spec3({ failover: { lossLimitBytes: 10 } }),
        postgres: primary({ insertLsn: walEnd, peers: [behind('db2', 11), behind('db3', 11)] }),
      },
      heard,
      'db2: lacks at least 11 bytes of what db1 wrote; the declared limit is 10',
    ],
    [
      'nobody is fit',
      { all: both.map((member) => ({ ...member, unfit: 'its replay is paused' })) },
      heard,
      'db2: its replay is paused',
    ],
  ])('says why nobody would: %s', (_, change, reach, because) => {
    expect(forecast(seen(change), reach)).toMatchObject({ takesOver: null, withinMs: null, because });
  });

  it('is nobody while hands are off', () => {
    const handsOff = stored({ by: 'kim', at: '2026-11-20T00:00:00.000Z', forMs: 60_000, leftMs: 60_000 });
    expect(forecast(seen({ store: { handsOff } }), heard)).toMatchObject({ takesOver: null, because: 'hands are off' });
  });

  it.each<[string, readonly string[], (node: string) => 'yes' | 'no', string | null]>([
    ['beside the primary', ['10.0.1.1'], heard, 'every member of the store would be gone'],
    ['on both nodes', ['10.0.1.1', '10.0.1.2'], heard, "1 of the store's 2 members would be gone"],
    ['with a witness', ['10.0.1.1', '10.0.1.2', '10.0.2.1'], heard, null],
    [
      'with a witness that is silent',
      ['10.0.1.1', '10.0.1.2', '10.0.2.1'],
      allBut('mon1'),
      "2 of the store's 3 members would be gone, with the silent mon1",
    ],
  ])('is nobody when the store is lost with the primary: %s', (_, addresses, reach, because) => {
    const endpoints = addresses.map((address) => `https://${address}:2379`);
    const spec = specOf(['db1', 'db2', 'mon1'], { store: { kind: 'etcd', endpoints, caFile: null } });
    const durability = stored({ term: 5, standbys: ['db2'], k: 1 });
    const view = seen({ spec, store: { durability } });
    expect(forecast(view, reach)).toMatchObject({ because, takesOver: because === null ? 'db2' : null });
  });

  it('counts on the declared acceptance of a loss where nothing else helps', () => {
    const spec = spec3({ durability: { ...defaultDurability, acceptLossAfterMs: 60_000 } });
    expect(forecast(seen({ spec }), allBut('db3'))).toMatchObject({
      takesOver: 'db2',
      withinMs: 68_060,
      byAcceptance: true,
    });
    expect(forecast(seen({ spec }), heard)).toMatchObject({ withinMs: 7_060, byAcceptance: false });
  });
});
