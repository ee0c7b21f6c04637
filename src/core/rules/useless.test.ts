/** What becomes of a primary that is of no use: told case by case, each line one moment in the agent's eyes. */
import { describe, expect, it } from 'vitest';
import { specOf, storedSpec } from '../../../test/fixtures/spec.ts';
import { verdict } from '../../../test/fixtures/verdict.ts';
import {
  clusterView,
  endedJob,
  memberStatus,
  members,
  memoryRenewed,
  nowMs,
  primary,
  stopped,
  stored,
} from '../../../test/fixtures/view.ts';
import type { ClusterView, MemberStatus } from '../cluster-view.ts';
import { decide } from '../decide.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import type { DatabaseMemory } from '../memory.ts';
import type { FailingProbes, SeenProbe, WriteProbe } from '../write-probe.ts';

const silent: WriteProbe = { came: 'silent', text: 'no answer' };
const young = memoryRenewed(10);
/** Of the server with process id 50, as long as it takes to call it useless. */
const failing: FailingProbes = { pid: 50, sinceMs: nowMs - 20_000, lastAtMs: nowMs - 10, times: 6, text: 'no answer' };
const gaveUp: DatabaseMemory = { ...young, failingProbes: failing };

const durability = stored({ term: 5, standbys: ['db2', 'db3'], k: 1, holder: 'db1' });
const standbys = members(memberStatus('db2'), memberStatus('db3'));
const full = (node: string): MemberStatus => memberStatus(node, { diskFreeBytes: 70 * 1024 * 1024 });
const stopping: LocalPostgres = { state: 'stopping', pid: 50 };
const stopJob = { kind: 'stop', startedAtMs: nowMs - 100, progress: null } as const;

interface Moment {
  readonly postgres: LocalPostgres;
  readonly memory?: DatabaseMemory;
  readonly peers?: ClusterView['store']['members'];
  readonly probe?: SeenProbe;
  readonly job?: ClusterView['job'];
  readonly nodes?: readonly string[];
  readonly startFailed?: boolean;
}

function decided({
  postgres,
  memory = young,
  peers = standbys,
  probe,
  job = null,
  nodes,
  startFailed,
}: Moment): string {
  const spec = storedSpec(specOf(nodes ?? ['db1', 'db2', 'db3']));
  const view = clusterView({
    postgres,
    job,
    probe: probe ?? null,
    lastJobs: new Map(startFailed === true ? [endedJob('start', 'failed')] : []),
    store: { members: peers, durability, spec },
  });
  return verdict(decide(view, memory));
}

const probed = (probe: WriteProbe, pid = 50): SeenProbe => ({
  pid,
  begunAtMs: nowMs - 2_000,
  endedAtMs: nowMs - 5,
  probe,
});

describe('a primary', () => {
  it.each<[string, Moment, string]>([
    ['is left alone while nothing is known', { postgres: primary() }, 'wait holds-lease'],
    ['is left alone after one bad probe', { postgres: primary(), probe: probed(silent) }, 'wait holds-lease'],
    ['is ended after a series of them', { postgres: primary(), memory: gaveUp, probe: probed(silent) }, 'stop'],
    ['is ended where nobody can follow, too', { postgres: primary(), memory: gaveUp, peers: new Map() }, 'stop'],
    [
      'is left alone when a write came through after all',
      { postgres: primary(), memory: gaveUp, probe: probed({ came: 'written', tookMs: 2 }) },
      'wait holds-lease',
    ],
    [
      'is left alone when the series was of an earlier server',
      { postgres: primary({ pid: 51 }), memory: gaveUp },
      'wait holds-lease',
    ],
    [
      'is left alone when its connections are exhausted, for ever if need be',
      { postgres: primary(), probe: probed({ came: 'barred', text: 'all connections are taken' }) },
      'wait holds-lease',
    ],
  ])('%s', (_, moment, expected) => {
    expect(decided(moment)).toBe(expected);
  });
});

describe('after its end', () => {
  const crashed = stopped({ shutdown: 'crashed' });
  it.each<[string, Moment, string]>([
    ['another takes over', { postgres: crashed, memory: gaveUp }, 'release-lease to nobody'],
    ['a mere crash is mended in place', { postgres: crashed }, 'start primary'],
    [
      'it starts again when an election would lack a vote',
      { postgres: crashed, memory: gaveUp, peers: members(memberStatus('db2')) },
      'start primary',
    ],
    [
      'it starts again when nobody else is there',
      { postgres: crashed, memory: gaveUp, nodes: ['db1'], peers: new Map() },
      'start primary',
    ],
    [
      'it starts again when all other disks are full',
      { postgres: crashed, memory: gaveUp, peers: members(full('db2'), full('db3')) },
      'start primary',
    ],
    [
      'one with room is enough',
      { postgres: crashed, memory: gaveUp, peers: members(full('db2'), memberStatus('db3')) },
      'release-lease to nobody',
    ],
    ['a start that fails hands over', { postgres: crashed, startFailed: true }, 'release-lease to nobody'],
    [
      'a full disk everywhere is no reason to move',
      { postgres: crashed, startFailed: true, peers: members(full('db2'), full('db3')) },
      'wait start-failed',
    ],
  ])('%s', (_, moment, expected) => {
    expect(decided(moment)).toBe(expected);
  });
});

describe('a server that can not be ended', () => {
  const due = memoryRenewed(1_100);
  const ending = (agoMs: number): DatabaseMemory => ({ ...due, endingSinceMs: nowMs - agoMs });
  it.each<[string, Moment, string]>([
    ['keeps its lease while the end has just begun', { postgres: stopping, memory: due, job: stopJob }, 'renew-lease'],
    ['keeps it for a while', { postgres: stopping, memory: ending(4_999), job: stopJob }, 'renew-lease'],
    ['loses it then', { postgres: stopping, memory: ending(5_000), job: stopJob }, 'wait job-stop'],
    [
      'loses it between two attempts, too',
      { postgres: { state: 'unknown', because: 'x', pid: 50 }, memory: ending(6_000) },
      'wait postgres-unknown',
    ],
    [
      'keeps it where nobody can follow',
      { postgres: stopping, memory: ending(60_000), job: stopJob, peers: new Map() },
      'renew-lease',
    ],
    [
      'may renew again when it is gone after all',
      { postgres: stopped(), memory: ending(60_000) },
      'renew-lease, start primary',
    ],
  ])('%s', (_, moment, expected) => {
    expect(decided(moment)).toBe(expected);
  });

  it('is remembered from the first attempt on, and forgotten with its end', () => {
    const at = (postgres: LocalPostgres, memory: DatabaseMemory, job: ClusterView['job'] = null) =>
      decide(clusterView({ postgres, job }), memory).memory.endingSinceMs;
    expect(at(stopping, young, stopJob)).toBe(nowMs);
    expect(at(stopping, ending(700), stopJob)).toBe(nowMs - 700);
    expect(at({ state: 'orphaned', pid: 51 }, ending(700))).toBe(nowMs - 700);
    expect(at({ state: 'unknown', because: 'x', pid: 50 }, young)).toBeNull();
    expect(at(stopped(), ending(700))).toBeNull();
    expect(at(primary(), ending(700))).toBeNull();
  });
});
