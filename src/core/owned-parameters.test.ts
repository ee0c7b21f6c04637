import { expect, it } from 'vitest';
import { specOf } from '../../test/fixtures/spec.ts';
import { ownedParameterNames, whyOwned } from './owned-parameters.ts';
import { serverConfiguration } from './rules/settings.ts';
import type { Spec } from './spec.ts';

function parametersWith(parameters: Spec['postgres']['parameters']): Readonly<Record<string, string>> {
  const { postgres } = specOf([]);
  const spec = specOf(['db1'], { postgres: { ...postgres, parameters } });
  return serverConfiguration(spec, 'db1', {
    socketDirectory: '/run/understudy',
    tls: { ca: '/ca', certificate: '/certificate', key: '/key' },
    osUser: 'postgres',
    archiveCommand: null,
    archiveHold: '/run/archive-hold',
    memoryBytes: 1024 ** 3,
    floor: {},
    syncNames: '',
  }).parameters;
}

it('names exactly what the server configuration writes over a declared value, and what it never writes', () => {
  const written = Object.keys(parametersWith({}));
  const declared = parametersWith(Object.fromEntries(written.map((name) => [name, 'declared'])));
  const overwritten = written.filter((name) => declared[name] !== 'declared');
  expect(overwritten.filter((name) => whyOwned(name) === undefined)).toEqual([]);
  expect(written.filter((name) => declared[name] === 'declared' && whyOwned(name) !== undefined)).toEqual([]);
});

it('names no parameter twice', () => {
  expect(new Set(ownedParameterNames).size).toBe(ownedParameterNames.length);
});

it.each(['archive_mode', 'RECOVERY_TARGET', 'primary_conninfo', 'data_directory', 'hba_file', 'Port'])(
  'owns %s',
  (name) => {
    expect(whyOwned(name)).toBeTypeOf('string');
  },
);

it.each(['archive_mode', 'archive_command', 'archive_timeout', 'archive_library', 'restore_command'])(
  'says of %s what to declare instead',
  (name) => {
    expect(whyOwned(name)).toContain('declare those under backups');
  },
);

it.each(['work_mem', 'max_connections', 'pg_stat_statements.max', 'constructor'])('leaves %s to the user', (name) => {
  expect(whyOwned(name)).toBeUndefined();
});
