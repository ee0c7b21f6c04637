import { expect, it } from 'vitest';
import { specOf } from '../../../test/fixtures/spec.ts';
import { defaultBackups } from '../backups-spec.ts';
import { archivingOff } from './archiving-off.ts';

const backups = { ...defaultBackups, to: { kind: 'directory' as const, path: '/backups' } };
const spec = specOf(['db1', 'db2'], { backups });
const pending = (wanted: string) => ({ pendingRestart: [{ name: 'archive_mode', current: '?', wanted }] });
const both = new Map([
  ['db1', pending('on')],
  ['db2', pending('on')],
]);

it('names who has to be restarted, and the commands for it', () => {
  expect(archivingOff(spec, 'db1', both)).toEqual({
    text: 'no backup can be made before PostgreSQL on db1 is restarted: it archives nothing until then',
    commands: 'understudy restart db2, then understudy switchover --to db2',
  });
  expect(archivingOff(spec, 'db1', new Map([['db1', pending('on')]]))?.commands).toBe('understudy switchover');
});

it.each([
  ['nothing is declared', specOf(['db1', 'db2']), 'db1', both],
  ['there is no spec', null, 'db1', both],
  ['there is no primary', spec, null, both],
  ['the primary archives', spec, 'db1', new Map([['db2', pending('on')]])],
  ['archiving is to end', spec, 'db1', new Map([['db1', pending('off')]])],
] as const)('is silent where %s', (_, declared, primary, members) => {
  expect(archivingOff(declared, primary, members)).toBeNull();
});
