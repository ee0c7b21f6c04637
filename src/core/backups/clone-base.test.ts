import { expect, it } from 'vitest';
import { backupOf, segment, segmentBytes } from '../../../test/fixtures/backups.ts';
import { type CloneBaseFacts, chooseCloneBase, type ExpectedMs } from './clone-base.ts';
import { pathOfHistory } from './timeline-path.ts';
import { recoverableWindow } from './window.ts';

const backups = [
  backupOf('sunday', 'full', '2026-11-15T02:30:00Z', { first: 1, last: 2 }),
  backupOf('monday', 'differential', '2026-11-16T02:30:00Z', { prior: 'sunday', first: 10, last: 11 }),
];
const quick: ExpectedMs = { backups: 60_000, primary: 100_000 };

function facts(
  change: Partial<CloneBaseFacts> & {
    readonly archived?: readonly (readonly [number, number, number?])[];
    readonly expected?: ExpectedMs;
  } = {},
): CloneBaseFacts {
  const { archived = [[1, 29]], expected = quick, path = [], ...rest } = change;
  const ranges = archived.map(([first, last, timeline]) => ({
    first: segment(first, timeline),
    last: segment(last, timeline),
  }));
  const known = path.length > 0 ? path : pathOfHistory(1, '');
  return {
    ...{ asked: null, timeline: 1, path, segmentBytes, expectedMs: () => expected },
    contents: { state: 'ok', trouble: null, backups, archived: { first: segment(1), last: segment(29) } },
    window: recoverableWindow({ backups, archived: ranges, path: known, segmentBytes, heartbeats: [] }),
    ...rest,
  };
}

it('takes the newest backup where it is quicker, and measured', () => {
  expect(chooseCloneBase(facts())).toMatchObject({ backup: { label: 'monday' }, timeline: 1 });
});

it.each<[string, ExpectedMs, RegExp]>([
  ['no restore was measured', { ...quick, backups: null }, /how quick a restore is/],
  ['no copy of a primary was', { ...quick, primary: null }, /how quick a copy of the primary is/],
  ['it is quicker by little', { backups: 85_000, primary: 100_000 }, /about 85 s, a copy of the primary 100 s/],
  ['both take a moment', { backups: 1_000, primary: 9_000 }, /about 1 s/],
])('copies the primary by itself where %s, and asked for it does not weigh', (_, expected, because) => {
  expect(chooseCloneBase(facts({ expected }))).toEqual({ because: expect.stringMatching(because) });
  expect(chooseCloneBase(facts({ expected, asked: 'backups' }))).toMatchObject({ backup: { label: 'monday' } });
  expect(chooseCloneBase(facts({ expected, asked: 'primary' }))).toEqual({ because: 'the primary was asked for' });
});

const path = pathOfHistory(2, `1\t0/14000000\tno recovery target specified\n`);

it.each<[string, CloneBaseFacts, RegExp]>([
  [
    'WAL after the backup is missing',
    facts({
      archived: [
        [1, 14],
        [16, 29],
      ],
    }),
    /WAL is missing from 0000000100000000000000(0F|3C)/,
  ],
  ['the archive could not be looked through', facts({ window: null }), /could not be looked through/],
  ['the timeline is not known', facts({ timeline: null }), /is not known/],
  ['the primary has gone on since', facts({ path, timeline: 3 }), /timeline 3, and the newest that is archived is 2/],
  [
    'the archive is of somebody ahead',
    facts({ path, timeline: 1 }),
    /timeline 1, and the newest that is archived is 2/,
  ],
  ['no history leads from the backup to the primary', facts({ timeline: 2 }), /monday is not of timeline 2/],
  [
    'the repository is away',
    facts({ contents: { state: 'unreachable', trouble: 'no answer', backups: [], archived: null } }),
    /no answer/,
  ],
  [
    'its pages are damaged',
    facts({ contents: { ...facts().contents, backups: backups.map((one) => ({ ...one, hasDamage: true })) } }),
    /damaged pages/,
  ],
])('never takes it where %s', (_, given, because) => {
  for (const asked of [null, 'backups'] as const) {
    expect(chooseCloneBase({ ...given, asked })).toEqual({ because: expect.stringMatching(because) });
  }
});

it('follows the histories to the timeline of the primary', () => {
  const archived = [
    [1, 20],
    [20, 29, 2],
  ] as const;
  expect(chooseCloneBase(facts({ path, timeline: 2, archived }))).toMatchObject({
    backup: { label: 'monday' },
    timeline: 2,
  });
});
