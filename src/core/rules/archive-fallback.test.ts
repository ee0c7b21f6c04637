/** db2 follows db1, which holds term 5 on timeline 1 and no longer has the WAL that db2 needs. */
import { expect, it } from 'vitest';
import { spec3, storedSpec } from '../../../test/fixtures/spec.ts';
import { acts, verdict } from '../../../test/fixtures/verdict.ts';
import {
  clusterView,
  lsn,
  memberPrimary,
  memberStatus,
  members,
  memoryOfAMinute,
  noRequests,
  nowMs,
  standby,
} from '../../../test/fixtures/view.ts';
import { defaultBackups } from '../backups-spec.ts';
import { decide } from '../decide.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import type { DatabaseMemory } from '../memory.ts';
import type { Spec } from '../spec.ts';

type Standby = Extract<LocalPostgres, { state: 'standby' }>;

const backups: Spec['backups'] = { ...defaultBackups, to: { kind: 'directory', path: '/srv/backups' } };
const outOfWal = { receiver: 'none', cannotStream: 'wal-removed' } as const;
const reading = { ...outOfWal, readsArchive: true } as const;

function seen(postgres: Partial<Standby>, spec: Partial<Spec> = {}, change: Parameters<typeof clusterView>[0] = {}) {
  const db1 = memberStatus('db1', { term: 5, postgres: memberPrimary({ timeline: 1 }) });
  const store = { spec: storedSpec({ ...spec3(), backups, ...spec }), members: members(db1) };
  return clusterView({ self: 'db2', postgres: standby(postgres), ...change, store });
}

const memory: DatabaseMemory = {
  ...memoryOfAMinute(),
  memberSeen: new Map([['db1', { counter: 5, atMs: nowMs, moved: true }]]),
};
const since = (sinceMs: number, at = lsn('0/3000100'), streamingSinceMs: number | null = null): DatabaseMemory => ({
  ...memory,
  archiveReading: { at, sinceMs, streamingSinceMs },
});

it('reads from the archive what the primary has no more, and is not cloned', () => {
  const [first] = acts(decide(seen(outOfWal), memory));
  expect(first).toMatchObject({ do: 'follow', from: 'db1', archive: true });
  expect(verdict(decide(seen(reading), memory))).toBe('wait reads-archive');
});

it('goes on as long as that brings it further, and is cloned where it does not', () => {
  const at = lsn('0/5000000');
  const later = { ...reading, replayedLsn: at };
  expect(verdict(decide(seen(later), since(nowMs - 59_000, at)))).toBe('wait reads-archive');
  expect(verdict(decide(seen(later), since(nowMs - 60_000, at)))).toBe('clone db1');
  expect(verdict(decide(seen(later), since(nowMs - 60_000, lsn('0/4000000'))))).toBe('wait reads-archive');
});

it('streams alone again once the stream has lasted', () => {
  const streaming = { readsArchive: true, receiver: 'streaming', upstream: 'db1' } as const;
  const { memory: after, ...begun } = decide(seen(streaming), memory);
  expect(acts(begun)).toEqual([]);
  expect(after.archiveReading?.streamingSinceMs).toBe(nowMs);
  const [act] = acts(decide(seen(streaming), since(nowMs - 9_000, lsn('0/1'), nowMs - 5_000)));
  expect(act).toEqual({ do: 'follow', from: 'db1', because: ['streams-again'] });
  expect(acts(decide(seen({ ...streaming, readsArchive: false }), memory))).toEqual([]);
});

it.each<[string, Partial<Standby>, Partial<Spec>]>([
  ['where there are no backups', outOfWal, { backups: null }],
  [
    'where another timeline is written: a former primary may have archived past the fork',
    { ...outOfWal, timeline: 2 },
    {},
  ],
  ['where the server would have to be restarted for it', outOfWal, { postgres: { ...spec3().postgres, major: 13 } }],
  [
    'where it replays later than it could',
    outOfWal,
    { nodes: spec3().nodes.map((node) => (node.name === 'db2' ? { ...node, applyDelayMs: 3_600_000 } : node)) },
  ],
])('is cloned %s', (_, postgres, spec) => {
  expect(verdict(decide(seen(postgres, spec), memory))).toBe('clone db1');
});

it('is cloned when it has diverged, or a person asks for it', () => {
  expect(verdict(decide(seen({ ...reading, cannotStream: 'diverged' }), memory))).toBe('clone db1');
  const asked = { requests: { ...noRequests, reinit: true } };
  expect(verdict(decide(seen(outOfWal, {}, asked), memory))).toBe('clone db1');
});
