import { describe, expect, it } from 'vitest';
import type { Action } from '../actions.ts';
import type { Ballot } from '../ballot.ts';
import type { ClusterView, LocalPostgres, MemberStatus, Stored, StoreView } from '../cluster-view.ts';
import { decide } from '../decide.ts';
import type { Lease } from '../lease.ts';
import { lsnFromOffset } from '../lsn.ts';
import { type DatabaseMemory, emptyMemory, learn } from '../memory.ts';
import type { Operation } from '../operation.ts';
import type { NodeName, NodeSpec, Spec } from '../spec.ts';

const ttlMs = 6_000;
const freeAfterMs = 6_060;
const startMs = 100_000;
const lsn = (offset: number) => lsnFromOffset(BigInt(offset));
const stored = <T>(value: T, revision = 7): Stored<T> => ({ value, revision });
const node = (name: NodeName, failover: 'allowed' | 'never' = 'allowed'): NodeSpec => ({
  name,
  address: '127.0.0.1',
  role: 'database',
  datacenter: null,
  priority: 0,
  failover,
  purpose: null,
  contact: null,
});
const spec: Spec = {
  version: 1,
  cluster: 'c',
  domain: 'd',
  contact: null,
  datacenters: {},
  nodes: [node('db1'), node('db2'), node('db3')],
  postgres: { major: 17, port: 5432, dataDirectory: null, binaryDirectory: null, parameters: {}, walBudgetMb: 1 },
  store: { kind: 'etcd', endpoints: [], caFile: null },
  poolers: { port: 6432, mode: 'transaction', poolSize: 5, maxClients: 10, queryWaitTimeoutS: 30 },
  databases: [],
  applications: [],
  switchover: {
    drainTimeoutMs: 5_000,
    stopTimeoutMs: 5_000,
    promoteTimeoutMs: 5_000,
    longTransactionMs: 5_000,
    maxLagBytes: 1,
  },
  lease: { ttlMs },
};
const server = {
  pid: 50,
  systemIdentifier: '7',
  timeline: 1,
  serverVersion: '17',
  major: 17,
  slots: [],
  peers: [],
  pendingRestart: [],
  standbyMinimums: {},
};
const standby = {
  ...server,
  state: 'standby',
  receivedLsn: null,
  replayedLsn: lsn(0x100),
  walEnd: lsn(0x100),
  replayPaused: false,
  lagS: 0,
  upstream: 'db1',
  receiver: 'streaming',
  cannotStream: null,
} satisfies LocalPostgres;
const alone: LocalPostgres = { ...standby, upstream: null, receiver: 'none' };
const primary: LocalPostgres = {
  ...server,
  state: 'primary',
  insertLsn: lsn(0x200),
  fork: null,
  syncSet: { standbys: ['db2', 'db3'], k: 1 },
};
const held = (holder: NodeName, term = 5): Stored<Lease> => stored({ state: 'held', term, holder, ttlMs }, 40);
const ballot = (name: NodeName, offset: number): Stored<Ballot> =>
  stored({
    node: name,
    term: 6,
    timeline: 1,
    lsn: `0/${offset.toString(16).toUpperCase()}`,
    bootId: 'boot',
    priority: 0,
    unfit: null,
  });
const ballots = (...all: Stored<Ballot>[]) => new Map(all.map((one) => [`6/${one.value.node}`, one]));

interface Scene {
  readonly self?: NodeName;
  readonly postgres: LocalPostgres;
  readonly store?: Partial<StoreView>;
  readonly view?: Partial<ClusterView>;
  readonly nowMs?: number;
}

function viewOf({ self = 'db2', postgres, store, view, nowMs = startMs }: Scene): ClusterView {
  return {
    self,
    nowMs,
    store: {
      readAtMs: nowMs,
      confirmedAtMs: nowMs,
      spec: stored({ revision: 1, spec, appliedAt: '', appliedBy: '' }),
      cluster: stored({ systemIdentifier: '7', postgresMajor: 17 }),
      lease: held('db1'),
      renewal: stored({ term: 5, counter: 9 }, 41),
      operation: null,
      durability: stored({ term: 5, standbys: ['db2', 'db3'], k: 1 }, 30),
      ballots: new Map(),
      timelines: new Map([[1, stored({ term: 1, timeline: 1, parent: null, forkLsn: '0/0' })]]),
      members: new Map(),
      poolers: new Map(),
      unreadable: [],
      ...store,
    },
    postgres,
    job: null,
    lastJobs: new Map(),
    reports: new Map(),
    requests: { driving: null, cancelOperation: null, reinit: false, restart: false },
    promise: { kind: 'none' },
    bootId: 'boot',
    diskFreeBytes: null,
    agentVersion: '0',
    ...view,
  };
}

const quiet = ['publish-status', 'configure', 'apply-slots', 'apply-databases', 'discard-kept'];
const acts = (actions: readonly Action[]) => actions.filter((action) => !quiet.includes(action.do));
const told = (actions: readonly Action[]) => acts(actions).map((action) => action.do);

/** The memory of an agent that has seen this lease stand still since `startMs`. */
function watched(scene: Scene): DatabaseMemory {
  return decide(viewOf({ ...scene, nowMs: startMs }), emptyMemory(startMs - 60_000)).memory;
}

/** After the lease stood still for TTL + drift, and a look found it unchanged. */
function free(scene: Scene, afterMs = freeAfterMs): { actions: readonly Action[]; memory: DatabaseMemory } {
  const at = { ...scene, nowMs: startMs + afterMs };
  const first = decide(viewOf(at), watched(scene));
  const look = acts(first.actions)[0];
  if (look?.do !== 'look-at-lease') return first;
  const looked = learn(first.memory, { kind: 'lease-looked', key: look.key, atMs: startMs + afterMs });
  return decide(viewOf(at), looked);
}

const cut = { promise: { kind: 'cut', term: 6 } } as const;

describe('a lease that nobody renews', () => {
  it('is free only after TTL + drift, and only after a look', () => {
    const scene = { postgres: standby };
    const before = decide(viewOf({ ...scene, nowMs: startMs + freeAfterMs - 1 }), watched(scene));
    expect(told(before.actions)).toEqual([]);
    const at = decide(viewOf({ ...scene, nowMs: startMs + freeAfterMs }), watched(scene));
    expect(told(at.actions)).toEqual(['look-at-lease']);
    expect(told(free(scene).actions)).toEqual(['cut']);
  });

  it('is not free while its counter moves, or while the store is out of sight', () => {
    const scene = { postgres: standby };
    const renewed = { renewal: stored({ term: 5, counter: 10 }, 42) };
    const moved = decide(viewOf({ ...scene, store: renewed, nowMs: startMs + freeAfterMs }), watched(scene));
    expect(told(moved.actions)).toEqual([]);
    const blind = { confirmedAtMs: startMs };
    const unseen = decide(viewOf({ ...scene, store: blind, nowMs: startMs + freeAfterMs }), watched(scene));
    expect(told(unseen.actions)).toEqual([]);
    // The count begins anew when the store is back.
    const back = decide(viewOf({ ...scene, nowMs: startMs + freeAfterMs + 10 }), unseen.memory);
    expect(told(back.actions)).toEqual([]);
  });

  it('is free at once when it was released to whoever is elected', () => {
    const lease = stored<Lease>({ state: 'released', term: 5, by: 'db1', to: null, ttlMs }, 40);
    expect(told(free({ postgres: standby, store: { lease } }, 0).actions)).toEqual(['cut']);
  });

  it('is left alone by who has promised not to cut', () => {
    const promise = { kind: 'promised', term: 5, round: 1, untilMs: startMs + 9_000, bootId: 'boot', cut: 0 } as const;
    expect(told(free({ postgres: standby, view: { promise } }).actions)).toEqual([]);
  });
});

describe('an election', () => {
  it('begins with a ballot, once the position is known', () => {
    expect(acts(free({ postgres: alone, view: cut }).actions)).toMatchObject([
      { do: 'write-ballot', ballot: { node: 'db2', term: 6, lsn: '0/100', unfit: null } },
    ]);
    const unknown: LocalPostgres = { ...alone, walEnd: null };
    expect(told(free({ postgres: unknown, view: cut }).actions)).toEqual([]);
  });

  const electing = (store: Partial<StoreView>, scene: Partial<Scene> = {}) => {
    const at = { postgres: alone, view: cut, store, ...scene };
    const first = free(at);
    const [write] = acts(first.actions);
    if (write?.do !== 'write-ballot') return first;
    const { key } = write;
    const nowMs = startMs + freeAfterMs;
    const memory = learn(first.memory, { kind: 'ballot-written', term: 6, key, atMs: nowMs });
    const mine = stored(write.ballot);
    const all = new Map([...(store.ballots ?? new Map()), ['6/db2', mine]]);
    return decide(viewOf({ ...at, store: { ...store, ballots: all }, nowMs }), memory);
  };

  it('is won by one transaction that compares all that it was judged by', () => {
    const won = electing({ ballots: ballots(ballot('db3', 0x100)) });
    expect(acts(won.actions)).toMatchObject([
      {
        do: 'take-lease',
        lease: { revision: 40 },
        renewal: { revision: 41 },
        durability: { revision: 30 },
        timeline: { term: 6, timeline: 2, parent: 1, forkLsn: '0/100' },
      },
    ]);
  });

  it('waits for as many of the synchronous standbys as it takes, and says who is missing', () => {
    const alone2 = electing({});
    expect(told(alone2.actions)).toEqual([]);
  });

  it('is not taken by who is behind', () => {
    expect(told(electing({ ballots: ballots(ballot('db3', 0x101)) }).actions)).toEqual([]);
  });

  it('goes on although the primary died in the middle of a switchover to this node', () => {
    const operation = {
      id: 'R-0001',
      kind: 'switchover',
      from: 'db1',
      to: 'db2',
      term: 5,
      poolers: [],
      without: [],
      forceAfterMs: null,
      paceMs: 0,
      drainTimeoutMs: 5_000,
      stopTimeoutMs: 5_000,
      promoteTimeoutMs: 5_000,
      startedAt: '',
      requestedBy: '',
      timings: [],
      phase: 'pausing',
    } satisfies Operation;
    expect(told(free({ postgres: standby, store: { operation: stored(operation) } }).actions)).toEqual(['cut']);
  });
});

describe('a node that has cut itself off', () => {
  it('does not follow, restart or clone towards a holder of a lower term', () => {
    const member: MemberStatus = {
      node: 'db1',
      counter: 1,
      term: 5,
      cutTerm: 0,
      postgres: { state: 'primary', timeline: 1, lsn: '0/200' },
      serverVersion: null,
      specRevision: 1,
      unconverged: [],
      pendingRestart: [],
      standbyMinimums: {},
      diskFreeBytes: null,
      agentVersion: '0',
      trouble: null,
    };
    const members = new Map([['db1', stored(member)]]);
    for (const asked of [{}, { restart: true }, { reinit: true }]) {
      const requests = { driving: null, cancelOperation: null, reinit: false, restart: false, ...asked };
      const scene = { postgres: alone, store: { members }, view: { ...cut, requests } };
      const decision = decide(viewOf(scene), watched(scene));
      expect(told(decision.actions)).toEqual([]);
      expect(decision.refused.map(({ blockedBy }) => blockedBy)).toEqual(['cut-off']);
    }
  });

  it('is heard by a living holder, which takes the next term and keeps its timeline', () => {
    const renewal = { term: 5, sentAtMs: startMs - 10, ttlMs };
    const memory = { ...emptyMemory(startMs - 60_000), renewal, lastRenewalTryMs: startMs - 10 };
    const scene = { self: 'db1', postgres: primary };
    const byBallot = decide(viewOf({ ...scene, store: { ballots: ballots(ballot('db3', 0x100)) } }), memory);
    expect(acts(byBallot.actions)).toMatchObject([{ do: 'take-next-term', timeline: { term: 6, timeline: 1 } }]);
  });

  it('starts nothing writable on a lease of a lower term', () => {
    const renewal = { term: 5, sentAtMs: startMs - 10, ttlMs };
    const memory = { ...emptyMemory(startMs - 60_000), renewal, lastRenewalTryMs: startMs - 10 };
    const stopped: LocalPostgres = {
      state: 'stopped',
      systemIdentifier: '7',
      timeline: 1,
      checkpointLsn: lsn(0x100),
      shutdown: 'clean',
      lastRole: 'primary',
    };
    const decision = decide(viewOf({ self: 'db1', postgres: stopped, view: cut }), memory);
    expect(told(decision.actions)).toEqual([]);
    expect(decision.refused[0]?.blockedBy).toBe('cut-off');
  });
});

describe('synchronous standbys', () => {
  it('that were set by hand are set back to what the record demands', () => {
    const renewal = { term: 5, sentAtMs: startMs - 10, ttlMs };
    const memory = {
      ...emptyMemory(startMs - 60_000),
      renewal,
      lastRenewalTryMs: startMs - 10,
      durabilityWritten: 5,
    };
    const store = { timelines: new Map([[5, stored({ term: 5, timeline: 1, parent: null, forkLsn: '0/0' })]]) };
    const byHand: LocalPostgres = { ...primary, syncSet: null };
    const { actions } = decide(viewOf({ self: 'db1', postgres: byHand, store }), memory);
    expect(acts(actions)).toMatchObject([{ do: 'set-sync-standbys', set: { standbys: ['db2', 'db3'], k: 1 } }]);
  });
});
