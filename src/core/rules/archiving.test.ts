/** db2 is asked, a standby; db1 was primary last. */
import { expect, it } from 'vitest';
import { spec3 } from '../../../test/fixtures/spec.ts';
import {
  clusterView,
  lsn,
  memberPrimary,
  memberStandby,
  memberStatus,
  members,
  primary,
  standby,
  stopped,
} from '../../../test/fixtures/view.ts';
import { defaultBackups } from '../backups-spec.ts';
import type { MemberStatus } from '../cluster-view.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import { archiveSlot, archiveSlotTargets, receivedToArchive } from './archiving.ts';

const backups = { ...defaultBackups, to: { kind: 'directory', path: '/srv/backups' } } as const;

interface Case {
  readonly spec?: ReturnType<typeof spec3> | null;
  readonly postgres?: LocalPostgres;
  readonly all?: readonly MemberStatus[];
}

function asked({ all = [], postgres = standby(), spec = spec3({ backups }) }: Case) {
  return { spec, view: clusterView({ self: 'db2', postgres, store: { members: members(...all) } }) };
}

const wrote = (node: string, timeline: number, archivedTo?: string) =>
  memberStatus(node, { postgres: memberPrimary({ timeline, archivedTo }) });

it.each<[string, LocalPostgres, ReturnType<typeof spec3> | null]>([
  ['no declaration is known', standby(), null],
  ['no backups are declared', standby(), spec3()],
  ['it is the primary, which marks its segments', primary(), spec3({ backups })],
  ['its server does not run', stopped(), spec3({ backups })],
])('keeps no WAL by a slot where %s', (_, postgres, spec) => {
  expect(archiveSlotTargets(asked({ postgres, spec, all: [wrote('db1', 1, '0/2000000')] }))).toEqual([]);
});

it.each<[string, readonly MemberStatus[], string | null]>([
  ['what the primary has archived', [wrote('db1', 1, '0/2000000')], '0/2000000'],
  ['nothing while nobody was primary', [memberStatus('db3', { postgres: memberStandby() })], null],
  ['nothing while the primary has not said it', [wrote('db1', 1)], null],
  ['nothing by what can not be read', [wrote('db1', 1, 'far')], null],
  ['the newer of two', [wrote('db3', 1, '0/9000000'), wrote('db1', 2, '0/3000000')], '0/3000000'],
  ['the newer of two, in whatever order', [wrote('db1', 2, '0/3000000'), wrote('db3', 1, '0/9000000')], '0/3000000'],
  // What was archived of another timeline says nothing of this one.
  ['nothing of an older timeline', [wrote('db3', 1, '0/9000000'), wrote('db1', 2)], null],
  [
    'what a standby never tells',
    [wrote('db1', 1, '0/2000000'), memberStatus('db3', { postgres: memberStandby({ timeline: 9 }) })],
    '0/2000000',
  ],
])('goes by %s', (_, all, to) => {
  const position = to === null ? null : lsn(to);
  expect(archiveSlotTargets(asked({ all }))).toEqual([{ name: archiveSlot, advanceTo: position }]);
  // The one that is promoted goes by the same.
  expect(receivedToArchive(asked({ all }))).toEqual({ after: position });
  expect(receivedToArchive(asked({ all, postgres: primary() }))).toEqual({ after: position });
});

it.each([
  ['no declaration is known', null],
  ['no backups are declared', spec3()],
])('archives nothing that was received where %s', (_, spec) => {
  expect(receivedToArchive(asked({ spec, all: [wrote('db1', 1, '0/2000000')] }))).toBeNull();
});
