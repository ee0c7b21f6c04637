import { describe, expect, it } from 'vitest';
import { defaultDurability, defaultFailover } from '../core/declared-durability.ts';
import { decodeRecord, encodeRecord, type RecordKind, type Records } from './codecs.ts';
import { eventKey, memberKey, poolerKey, receiptKey } from './keys.ts';
import { specSchema } from './spec-schema.ts';

const operation: Records['operation'] = {
  id: 'op-1',
  kind: 'switchover',
  from: 'db1',
  to: 'db2',
  term: 3,
  poolers: ['web1'],
  without: [],
  forceAfterMs: null,
  paceMs: 0,
  drainTimeoutMs: 5_000,
  stopTimeoutMs: 5_000,
  promoteTimeoutMs: 5_000,
  startedAt: '2026-11-20T00:00:00.000Z',
  requestedBy: 'kim',
  phase: 'stopped',
  shutdownLsn: '0/3000028',
  timeline: 2,
  timings: [{ phase: 'pause', ms: 14.2 }],
};

const spec: Records['spec'] = {
  revision: 4,
  appliedAt: '2026-11-20T00:00:00.000Z',
  appliedBy: 'kim',
  spec: {
    version: 1,
    cluster: 'psf',
    domain: 'psf.test',
    contact: null,
    datacenters: { iad1: { provider: 'Rackspace', region: null } },
    nodes: [
      {
        name: 'db1',
        address: '10.0.0.1',
        role: 'database',
        datacenter: 'iad1',
        priority: 0,
        failover: 'allowed',
        purpose: null,
        contact: null,
      },
    ],
    postgres: {
      major: 15,
      port: 5432,
      dataDirectory: null,
      binaryDirectory: null,
      parameters: { work_mem: '8MB' },
      walBudgetMb: 1024,
    },
    store: { kind: 'etcd', endpoints: ['https://10.0.0.1:2379'], caFile: null },
    poolers: { port: 6432, mode: 'transaction', poolSize: 20, maxClients: 500, queryWaitTimeoutS: 30 },
    databases: [{ name: 'app', owner: 'app' }],
    applications: [{ name: 'app', database: 'app', rights: 'rw', nodes: ['web1'], poolSize: null, outage: 'hold' }],
    switchover: {
      drainTimeoutMs: 5_000,
      stopTimeoutMs: 5_000,
      promoteTimeoutMs: 5_000,
      longTransactionMs: 5_000,
      maxLagBytes: 1,
    },
    durability: defaultDurability,
    failover: defaultFailover('local'),
    lease: { ttlMs: 6_000 },
  },
};

const examples: { readonly [K in RecordKind]: Records[K] } = {
  spec,
  cluster: { systemIdentifier: '7400000000000000001', postgresMajor: 15 },
  lease: { state: 'released', term: 3, by: 'db1', to: 'db2', ttlMs: 6_000 },
  renewal: { term: 3, counter: 0 },
  operation,
  'accepted-loss': {
    term: 4,
    counter: 9,
    to: null,
    covers: 'unheard',
    by: 'kim',
    at: '2026-11-20T00:00:00.000Z',
  },
  durability: { term: 3, standbys: ['db2', 'db3'], k: 1 },
  readOnly: { by: 'kim', at: '2026-11-20T00:00:00.000Z', reason: 'moving house' },
  handsOff: { by: 'kim', at: '2026-11-20T00:00:00.000Z', forMs: 7_200_000, leftMs: 3_600_000 },
  ballot: { node: 'db2', term: 4, timeline: 2, lsn: '0/3000028', bootId: 'boot', priority: 0, unfit: null },
  timeline: { term: 3, timeline: 2, parent: 1, forkLsn: '0/2000028' },
  member: {
    node: 'db2',
    counter: 9,
    term: 3,
    cutTerm: 4,
    postgres: {
      state: 'standby',
      timeline: 2,
      receivedLsn: null,
      replayedLsn: '0/3000028',
      streamingFrom: 'db1',
      lagS: 0.25,
    },
    serverVersion: '15.20',
    specRevision: 4,
    unconverged: [],
    pendingRestart: [{ name: 'max_connections', current: '100', wanted: '200' }],
    standbyMinimums: { max_connections: 100 },
    diskFreeBytes: 123_456_789_012,
    agentVersion: '0.1.0',
    trouble: null,
  },
  pooler: {
    node: 'web1',
    counter: 2,
    state: 'paused',
    operation: 'op-1',
    term: 3,
    primary: 'db1',
    clients: 8,
    waiting: 3,
    specRevision: 4,
    readOnly: false,
    blockers: [{ alias: 'app', serverPid: 77, client: '10.0.0.9:5', ageMs: 12.5 }],
    poolerVersion: '1.18.0',
    lastPause: { operation: 'op-0', drainMs: 3, pausedMs: 120.5, applications: [] },
    trouble: null,
  },
  event: { sequence: 1, at: '2026-11-20T00:00:00.000Z', node: 'db1', name: 'lease.lost', facts: { term: 3 } },
  receipt: {
    id: 'R-0001',
    kind: 'switchover',
    outcome: 'undone',
    undoReason: 'drain-timeout',
    detail: null,
    from: 'db1',
    to: 'db2',
    termBefore: 3,
    termAfter: 3,
    timelineBefore: 2,
    timelineAfter: 2,
    shutdownLsn: null,
    startedAt: '2026-11-20T00:00:00.000Z',
    pauseMs: null,
    phases: [],
    poolers: [],
    without: [],
    applications: [],
    unreported: [],
    undo: null,
    requestedBy: 'kim',
  },
};

const isKind = (kind: string): kind is RecordKind => Object.hasOwn(examples, kind);
const kinds = Object.keys(examples).filter(isKind);

/** Every object in it gets a key that nobody knows. */
function fromANewerVersion(value: unknown, isMap: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => fromANewerVersion(item, false));
  if (typeof value !== 'object' || value === null) return value;
  // Records with keys of their own (parameters, facts, …) know no unknown key.
  const maps = ['parameters', 'datacenters', 'standbyMinimums', 'facts'];
  const known = Object.entries(value).map(([key, item]) => [key, fromANewerVersion(item, maps.includes(key))]);
  return Object.fromEntries(isMap ? known : [...known, ['fromTheFuture', { any: ['thing'] }]]);
}

describe('records', () => {
  it.each(kinds)('of kind %s come back as they were written', (kind) => {
    expect(decodeRecord(kind, encodeRecord(kind, examples[kind]))).toEqual({ ok: true, value: examples[kind] });
  });

  it.each(kinds)('of kind %s are understood when a newer version added something anywhere', (kind) => {
    const text = JSON.stringify(fromANewerVersion(examples[kind], false));
    expect(decodeRecord(kind, text)).toEqual({ ok: true, value: examples[kind] });
  });

  it.each(kinds)('of kind %s are refused, with the place, when any field has another type', (kind) => {
    for (const field of Object.keys(examples[kind])) {
      const decoded = decodeRecord(kind, JSON.stringify({ ...examples[kind], [field]: [{ not: 'this' }] }));
      expect(decoded, field).toMatchObject({ ok: false, because: expect.stringContaining(field) });
    }
  });

  it.each(['', '{', 'null', '[]', '"x"', '{}'])('are refused when the text is %j', (text) => {
    for (const kind of kinds) expect(decodeRecord(kind, text).ok, kind).toBe(false);
  });

  it('of a spec to be applied are strict: what is not known would be lost', () => {
    expect(specSchema.safeParse(spec.spec).success).toBe(true);
    expect(specSchema.safeParse(fromANewerVersion(spec.spec, false)).success).toBe(false);
  });

  it('stand at keys that sort as the numbers do', () => {
    const sequences = [9, 10, 99, 100, 123_456];
    expect(sequences.map(eventKey).sort()).toEqual(sequences.map(eventKey));
    expect([memberKey('db1'), poolerKey('web1'), receiptKey('R-0001')]).toEqual([
      'members/db1',
      'poolers/web1',
      'receipts/R-0001',
    ]);
  });
});
