import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkPgbouncer, checkPostgres, isOlder, pgbouncerFindings } from './programs.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-doctor-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function program(name: string, says: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${says}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('versions', () => {
  it.each([
    ['1.18.0', [1, 21], true],
    ['1.21.0', [1, 21], false],
    ['1.25.1', [1, 25, 2], true],
    ['1.25.2', [1, 25, 2], false],
    ['2.0', [1, 25, 2], false],
  ] as const)('%s older than %j: %s', (version, than, older) => {
    expect(isOlder(version, than)).toBe(older);
  });
});

describe('pgbouncer', () => {
  const verdicts = (version: string, packaged: boolean) =>
    pgbouncerFindings(version, 'pgbouncer', packaged).map(({ verdict }) => verdict);

  it('is warned of where it can not do what drivers expect, or is not mended', () => {
    expect(verdicts('1.17.0', true)).toEqual(['failure']);
    expect(verdicts('1.18.0', true)).toEqual(['warning']);
    expect(verdicts('1.18.0', false)).toEqual(['warning', 'warning']);
    expect(verdicts('1.24.1', true)).toEqual(['ok']);
    expect(verdicts('1.24.1', false)).toEqual(['warning']);
    expect(verdicts('1.25.2', false)).toEqual(['ok']);
  });

  it('is missed where the node file says that it is', async () => {
    expect(await checkPgbouncer(join(directory, 'pgbouncer'))).toMatchObject([{ verdict: 'failure' }]);
    const path = program('pgbouncer', 'echo PgBouncer 1.24.1');
    expect((await checkPgbouncer(path)).some(({ text }) => text.includes('1.24.1'))).toBe(true);
  });
});

describe('PostgreSQL', () => {
  it('is missed, incomplete, broken, of two versions, or well', async () => {
    const check = async () => (await checkPostgres(directory)).map(({ verdict, text }) => `${verdict} ${text}`);
    expect(await check()).toEqual([`failure no PostgreSQL server is installed in ${directory}`]);
    program('postgres', 'echo "postgres (PostgreSQL) 17.2 (Debian 17.2-1)"');
    expect(await check()).toEqual([`failure ${directory} lacks initdb, pg_basebackup, pg_controldata`]);
    for (const name of ['initdb', 'pg_controldata']) program(name, 'true');
    program('pg_basebackup', 'echo "pg_basebackup (PostgreSQL) 15.9"');
    expect(await check()).toEqual([`warning PostgreSQL 17.2 in ${directory}, but pg_basebackup is 15.9`]);
    program('pg_basebackup', 'echo "pg_basebackup (PostgreSQL) 17.2"');
    expect(await check()).toEqual([`ok PostgreSQL 17.2 in ${directory}`]);
    program('postgres', 'echo oh >&2; exit 1');
    expect(await check()).toEqual([expect.stringMatching(/^failure .*postgres does not run: .*oh/)]);
  });
});
