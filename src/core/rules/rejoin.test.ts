/** How a node comes back that parted from the holder: db1 was primary in term 5 on timeline 1, db2 holds term 6 on timeline 2. */
import { describe, expect, it } from 'vitest';
import { acts, verdict } from '../../../test/fixtures/verdict.ts';
import {
  clusterView,
  endedJob,
  held,
  lsn,
  memberPrimary,
  memberStatus,
  members,
  memoryOfAMinute,
  nowMs,
  standby,
  stopped,
  stored,
  type ViewChange,
} from '../../../test/fixtures/view.ts';
import { decide } from '../decide.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import type { DatabaseMemory, Examined } from '../memory.ts';
import type { TimelineRecord } from '../timelines.ts';

const record = (term: number, timeline: number, parent: number | null, forkLsn: string) =>
  [term, stored<TimelineRecord>({ term, timeline, parent, forkLsn })] as const;
const timelines = new Map([record(5, 1, null, '0/0'), record(6, 2, 1, '0/3000100')]);

function seen(postgres: LocalPostgres, change: ViewChange = {}) {
  const db2 = memberStatus('db2', { term: 6, postgres: memberPrimary({ timeline: 2 }) });
  const store = {
    lease: held('db2', 6),
    renewal: stored({ term: 6, counter: 9 }, 41),
    timelines,
    members: members(db2),
  };
  return clusterView({ self: 'db1', postgres, ...change, store: { ...store, ...change.store } });
}

/** An agent that has heard db2 just now. */
function memory(examined: Partial<Examined> | null = null): DatabaseMemory {
  const found = { diverged: true, notKept: null, walBytes: 1_000, dataBytes: 1_000_000 };
  return {
    ...memoryOfAMinute(),
    memberSeen: new Map([['db2', { counter: 5, atMs: nowMs, moved: true }]]),
    waitingForHolderSinceMs: nowMs,
    examined: examined === null ? null : { key: '1@0/3000100', found, rewindFailed: null, ...examined },
  };
}

const crashed = stopped({ shutdown: 'crashed', checkpointLsn: lsn('0/3000028') });
const past = stopped({ checkpointLsn: lsn('0/3000128') });
const below = stopped({ checkpointLsn: lsn('0/3000028') });
const follower = stopped({ shutdown: 'clean', lastRole: 'standby', checkpointLsn: lsn('0/3000028') });
const found = { diverged: true, notKept: null, walBytes: 1_000, dataBytes: 1_000_000 };

describe('a node at rest', () => {
  it.each<[string, LocalPostgres, DatabaseMemory, ViewChange, string]>([
    ['that crashed as a primary is examined first', crashed, memory(), {}, 'rescue'],
    ['that ended past the fork is examined first', past, memory(), {}, 'rescue'],
    ['that ended below the fork starts', below, memory(), {}, 'start standby of db2'],
    ['that was a standby starts', follower, memory(), {}, 'start standby of db2'],
    [
      'with nothing past the fork starts',
      crashed,
      memory({ found: { ...found, diverged: false } }),
      {},
      'start standby of db2',
    ],
    ['that diverged is rewound', crashed, memory({}), {}, 'rewind'],
    ['that was a standby and diverged is rewound', follower, memory({}), {}, 'rewind'],
    ['with WAL that is not kept is cloned', crashed, memory({ found: { ...found, notKept: 'x' } }), {}, 'clone db2'],
    ['with more WAL than data is cloned', crashed, memory({ found: { ...found, walBytes: 2e6 } }), {}, 'clone db2'],
    ['whose rewind failed is cloned', crashed, memory({ rewindFailed: 'x' }), {}, 'clone db2'],
    ['examined for another parting is examined again', crashed, memory({ key: '1@0/3000000' }), {}, 'rescue'],
    ['whose rewind was interrupted is cloned', { state: 'unfinished' }, memory({}), {}, 'clone db2'],
    [
      'waits for a holder that is not writable',
      crashed,
      memory(),
      { store: { members: new Map() } },
      'wait holder-not-writable',
    ],
    [
      'cut off for a higher term keeps its WAL',
      crashed,
      memory({}),
      { promise: { kind: 'cut', term: 7 } },
      'start standby of nobody',
    ],
    [
      'whose clone failed waits',
      crashed,
      memory({ rewindFailed: 'x' }),
      { lastJobs: new Map([endedJob('clone', 'failed')]) },
      'wait clone-failed',
    ],
    [
      'on a timeline that no term is known of starts',
      stopped({ ...crashed, timeline: 9 }),
      memory(),
      {},
      'start standby of db2',
    ],
  ])('%s', (_, postgres, before, change, expected) => {
    expect(verdict(decide(seen(postgres, change), before))).toBe(expected);
  });

  it('keeps its whole directory when it is cloned', () => {
    const view = seen(crashed);
    for (const examined of [{ rewindFailed: 'x' }, { found: { ...found, notKept: 'x' } }]) {
      expect(acts(decide(view, memory(examined)))).toMatchObject([{ do: 'clone', diverged: true }]);
    }
  });

  it('has what lies past the fork looked at, on every timeline of its own', () => {
    const apart = new Map([...timelines, record(7, 3, 1, '0/3000200')]);
    const view = seen(stopped({ ...crashed, timeline: 3 }), { store: { timelines: apart } });
    const stretches = [
      { timeline: 1, from: lsn('0/3000100'), to: lsn('0/3000200') },
      { timeline: 3, from: lsn('0/3000200'), to: null },
    ];
    expect(acts(decide(view, memory()))).toMatchObject([{ do: 'rescue', term: 6, stretches }]);
  });
});

describe('a standby whose log says that it diverged', () => {
  const diverged = standby({ upstream: 'db2', receiver: 'none', cannotStream: 'diverged' });

  it.each<[string, LocalPostgres, DatabaseMemory, string]>([
    ['is examined', diverged, memory(), 'rescue'],
    ['is cloned when nothing was found', diverged, memory({ found: { ...found, diverged: false } }), 'clone db2'],
    ['is cloned when the fork is not known', standby({ ...diverged, timeline: 9 }), memory(), 'clone db2'],
    ['is cloned when its WAL is gone', standby({ ...diverged, cannotStream: 'wal-removed' }), memory(), 'clone db2'],
  ])('%s', (_, postgres, before, expected) => {
    expect(verdict(decide(seen(postgres), before))).toBe(expected);
  });
});
