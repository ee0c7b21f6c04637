import { expect, it } from 'vitest';
import { spec2, specOf } from '../../test/fixtures/spec.ts';
import { type BackupsSpec, defaultBackups } from './backups-spec.ts';
import { planChanges, renderPlan } from './plan.ts';
import type { Spec } from './spec.ts';

const facts = { primary: 'db1', databases: [] };
const to = {
  kind: 's3',
  bucket: 'psf-pg',
  prefix: '/iad1',
  region: 'us-ord',
  endpoint: 'us-ord.linodeobjects.com',
  port: 443,
  addressing: 'path',
  caFile: null,
} as const;
const plain: BackupsSpec = { ...defaultBackups, to };
const off = spec2();
const on = (change: Partial<BackupsSpec> = {}): Spec => spec2({ backups: { ...plain, ...change } });
const lines = (before: Spec | null, after: Spec) => renderPlan(planChanges(before, after, facts));

it('turning backups on leaves the servers running, and waits for a restart to archive', () => {
  expect(lines(off, on())).toEqual([
    'Interruption: none now. Destroyed: nothing.',
    'cluster  + backups to s3://psf-pg/iad1 at us-ord.linodeobjects.com',
    'db1,db2  ~ archive_mode off -> on  restart, deferred',
  ]);
});

it('turning them off ends the past, and removes nothing', () => {
  expect(lines(on(), off)).toEqual([
    'Interruption: backups, and with them any look at the past. Destroyed: nothing.',
    'cluster  - backups to s3://psf-pg/iad1 at us-ord.linodeobjects.com (what is there stays, and no WAL follows)',
    'db1,db2  ~ archive_mode on -> off  restart, deferred',
  ]);
});

it('a new cluster begins with archiving, and so does a new node', () => {
  const archives = (before: Spec | null, after: Spec) =>
    planChanges(before, after, facts).changes.filter(({ what }) => what === 'archive_mode');
  expect(archives(null, on())).toEqual([]);
  const larger = specOf(['db1', 'db2', 'db3', 'web1'], { backups: plain });
  expect(archives(off, larger)).toMatchObject([{ nodes: ['db1', 'db2'] }]);
});

it('another bucket, prefix or endpoint is another repository, and begins empty', () => {
  const other = on({ to: { ...to, bucket: 'psf-new' } });
  expect(lines(on(), other)).toContain(
    'cluster  ~ repository of backups s3://psf-pg/iad1 at us-ord.linodeobjects.com (what is there stays) -> s3://psf-new/iad1 at us-ord.linodeobjects.com (begins empty, with a full backup)',
  );
});

it('another way to the same repository is no other one', () => {
  expect(lines(on(), on({ to: { ...to, caFile: '/ca.crt' } }))).toEqual([
    'Interruption: none now. Destroyed: nothing.',
    "cluster  ~ way to the repository region us-ord, addressing path, CA system's -> region us-ord, addressing path, CA /ca.crt",
  ]);
});

it.each<[Partial<BackupsSpec>, string]>([
  [{ full: '0 3 * * 6' }, 'schedule of full backups 30 2 * * 0 -> 0 3 * * 6'],
  [{ differential: null }, 'schedule of differential backups 30 2 * * * -> never'],
  [{ proof: null }, 'schedule of the proof 30 5 * * 0 -> never'],
  [{ timeZone: 'Europe/Berlin' }, 'time zone of backups UTC -> Europe/Berlin'],
  [{ keepDays: 7 }, 'backups are kept (days) 35 -> 7'],
  [{ compression: 'gz' }, 'compression of backups zst -> gz'],
  [{ from: 'primary' }, 'maker of backups standby -> primary'],
  [{ processes: 4 }, 'processes of a backup 2 -> 4'],
])('every value stands in it: %j', (change, line) => {
  expect(lines(on(), on(change))).toEqual(['Interruption: none now. Destroyed: nothing.', `cluster  ~ ${line}`]);
});
