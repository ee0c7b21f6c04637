/** What is declared of backups, from the file to the spec and back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { issues, minimal, warnings } from '../../test/fixtures/cluster-text.ts';
import { type BackupsSpec, defaultBackups, type RepositoryPlace } from '../core/backups-spec.ts';
import { parseClusterText } from './load.ts';
import { renderClusterFile } from './render.ts';
import { specDisagreements } from './spec-disagreements.ts';

function read(backups: unknown): BackupsSpec {
  const loaded = parseClusterText(`${minimal}${stringify({ backups })}`, 'c.yaml');
  if (!loaded.ok) throw new Error(loaded.issues.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  if (loaded.spec.backups === null) throw new Error('no backups');
  return loaded.spec.backups;
}

const fingerprint = 'ab'.repeat(32);

describe('a repository alone', () => {
  it('is the short form of its map', () => {
    expect(read('/mnt/backups')).toEqual(read({ to: '/mnt/backups' }));
  });

  it('is told what its kind needs besides', () => {
    expect(issues(`${minimal}backups: s3://psf-pg/iad1\n`)).toEqual([
      expect.stringContaining(`backups.region: is missing`),
    ]);
  });

  it('is told what would be right', () => {
    expect(issues(`${minimal}backups: there\n`)).toEqual([expect.stringContaining('s3://bucket/prefix')]);
    expect(issues(`${minimal}backups: 3\n`)).toEqual([expect.stringContaining(`a map with the key 'to'`)]);
    expect(issues(`${minimal}backups: { to: /mnt/backups, ful: never }\n`)).toContainEqual(
      expect.stringContaining(`Did you mean 'full'?`),
    );
  });
});

describe('a repository', () => {
  const s3 = { kind: 's3', bucket: 'psf-pg', region: 'us-east-1', port: 443, caFile: null } as const;
  it.each<[Readonly<Record<string, unknown>>, RepositoryPlace]>([
    [
      { to: 's3://psf-pg/iad1', region: 'us-east-1' },
      { ...s3, prefix: '/iad1', endpoint: 's3.us-east-1.amazonaws.com', addressing: 'host' },
    ],
    [
      { to: 's3://psf-pg', region: 'us-east-1', endpoint: '10.0.5.1:9000', ca: '/etc/ca.crt' },
      { ...s3, prefix: '/', endpoint: '10.0.5.1', port: 9000, addressing: 'path', caFile: '/etc/ca.crt' },
    ],
    [
      { to: 's3://psf-pg/a/b/', region: 'us-east-1', endpoint: '[fd00::1]:9000', addressing: 'host' },
      { ...s3, prefix: '/a/b', endpoint: 'fd00::1', port: 9000, addressing: 'host' },
    ],
    [
      { to: 's3://psf.pg/x', region: 'us-east-1' },
      { ...s3, bucket: 'psf.pg', prefix: '/x', endpoint: 's3.us-east-1.amazonaws.com', addressing: 'path' },
    ],
    [
      { to: 'azure://psf-pg/iad1', account: 'psfbackups' },
      {
        kind: 'azure',
        container: 'psf-pg',
        prefix: '/iad1',
        account: 'psfbackups',
        endpoint: 'blob.core.windows.net',
        caFile: null,
      },
    ],
    [
      { to: 'gcs://psf_pg/iad1' },
      { kind: 'gcs', bucket: 'psf_pg', prefix: '/iad1', endpoint: 'storage.googleapis.com', caFile: null },
    ],
    [
      { to: 'sftp://backup@store.example:2222/srv/psf', host_key: fingerprint.toUpperCase() },
      {
        kind: 'sftp',
        user: 'backup',
        host: 'store.example',
        port: 2222,
        path: '/srv/psf',
        hostKeySha256: fingerprint,
      },
    ],
    [
      { to: 'sftp://backup@[fd00::1]/srv/psf/', host_key: 'SHA256:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s' },
      { kind: 'sftp', user: 'backup', host: 'fd00::1', port: 22, path: '/srv/psf', hostKeySha256: fingerprint },
    ],
    [{ to: '/mnt/backups/' }, { kind: 'directory', path: '/mnt/backups' }],
  ])('%j', (backups, place) => {
    expect(read(backups)).toEqual({ ...defaultBackups, to: place });
  });
});

it.each<[string, string | null]>([
  ['Sun 02:30', '30 2 * * 0'],
  ['daily 2:05', '5 2 * * *'],
  ['daily', '30 2 * * *'],
  ['weekly', '30 2 * * 0'],
  ['mon-sat 23:00', '0 23 * * 1-6'],
  ['Sun,Wed 04:00', '0 4 * * 0,3'],
  ['Fri-Mon 04:00', '0 4 * * 5,6,0,1'],
  ['0 3  1,15 * *', '0 3 1,15 * *'],
  ['never', null],
])('the schedule %j', (written, cron) => {
  expect(read({ to: '/mnt/b', full: written, differential: 'never' }).full).toBe(cron);
});

it('a proof has an hour of its own, after the backups', () => {
  expect(read({ to: '/mnt/b', proof: 'weekly' }).proof).toBe(defaultBackups.proof);
});

it('is not made where nothing is declared', () => {
  expect(parseClusterText(minimal, 'c.yaml')).toMatchObject({
    ok: true,
    spec: { backups: null },
    credentialsFile: null,
  });
});

it('credentials are a path for whoever applies, and stand in no spec', () => {
  const text = `${minimal}backups: { to: 's3://psf-pg', region: x, credentials: file:/root/s3.json }\n`;
  const loaded = parseClusterText(text, 'c.yaml');
  expect(loaded).toMatchObject({ ok: true, credentialsFile: '/root/s3.json' });
  expect(JSON.stringify(loaded.ok && loaded.spec)).not.toContain('s3.json');
});

describe('a mistake is named with its place and what would be right', () => {
  const fits = 'to: /mnt/b';
  it.each([
    ['{}', `1 backups.to: is missing`],
    ['{ to: s3:/psf }', `16 backups.to: 's3:/psf' is no repository. s3://bucket/prefix`],
    ['{ to: gs://psf-pg/x }', `16 backups.to: 'gs://psf-pg/x' begins with the scheme of another tool. gcs://psf-pg/x`],
    ['{ to: s3://P, region: x }', `16 backups.to: 's3://P' names no bucket. Lower case`],
    ['{ to: s3://psf-pg/../x, region: x }', `16 backups.to: 's3://psf-pg/../x' has a path that won't do. Parts of`],
    ['{ to: azure://a--b }', `16 backups.to: 'azure://a--b' names no container. Lower case`],
    ['{ to: sftp://store/x }', `16 backups.to: 'sftp://store/x' names no server and account. Such as sftp://`],
    ['{ to: sftp://a@store }', `16 backups.to: 'sftp://a@store' names no directory. A path`],
    ['{ to: / }', `16 backups.to: '/' has a path that won't do. Parts of`],
    ['{ to: s3://psf-pg }', `1 backups.region: is missing: S3 needs it. The provider's name`],
    ['{ to: azure://psf-pg }', `1 backups.account: is missing: Azure needs it. The storage account`],
    ['{ to: sftp://a@b/c }', `1 backups.host_key: is missing: SFTP needs it. The fingerprint`],
    [`{ ${fits}, region: x }`, `24 backups.region: means nothing for a directory, only for S3. Remove it`],
    [`{ ${fits}, ca: /x }`, `24 backups.ca: means nothing for a directory, only for S3, Azure, GCS. Remove it`],
    [`{ ${fits}, credentials: /x }`, `37 backups.credentials: '/x' is no source of credentials. 'file:' and`],
    [
      `{ to: gcs://psf-pg, endpoint: 'h:9' }`,
      `40 backups.endpoint: has the port 9, and GCS is reached on 443. The host`,
    ],
    [`{ to: gcs://psf-pg, endpoint: 'https://h' }`, `40 backups.endpoint: 'https://h' has a scheme. A host`],
    [`{ to: gcs://psf-pg, endpoint: 'h:99999' }`, `40 backups.endpoint: 'h:99999' is no endpoint. A host`],
    [
      `{ to: s3://a.b, region: x, addressing: host }`,
      `49 backups.addressing: puts 'a.b' before the endpoint's name, where no certificate`,
    ],
    [
      `{ to: sftp://a@b/c, host_key: md5 }`,
      `40 backups.host_key: 'md5' is no fingerprint of a host's key. Its SHA-256`,
    ],
    [`{ ${fits}, full: Sunday }`, `30 backups.full: 'Sunday' is no schedule. Such as 'Sun 02:30'`],
    [`{ ${fits}, full: Sun 2 }`, `30 backups.full: 'Sun 2' has no time of day. Such as`],
    [`{ ${fits}, full: Sun 24:00 }`, `30 backups.full: 'Sun 24:00' has no time of day. Such as`],
    [`{ ${fits}, full: 0 0 30 2 * }`, `30 backups.full: '0 0 30 2 *' never comes round. Such as`],
    [`{ ${fits}, full: 61 0 * * * }`, `30 backups.full: '61 0 * * *' is no schedule. Such as`],
    [`{ ${fits}, time_zone: Mars }`, `35 backups.time_zone: 'Mars' is no time zone. One of the IANA database`],
    [`{ ${fits}, keep: 5 }`, `30 backups.keep: 5 has no unit. Such as 35d or 5w`],
    [`{ ${fits}, keep: 5h }`, `30 backups.keep: '5h' is no number of days or weeks. Such as 35d`],
    [`{ ${fits}, keep: 0d }`, `30 backups.keep: '0d' is out of bounds. From 1d to 3650d`],
    [`{ ${fits}, processes: 0 }`, `35 backups.processes: 0 can't stand here. A whole number from 1 to 64`],
    [`{ ${fits}, compression: lzma }`, `37 backups.compression: 'lzma' is not supported here. Write 'zst' or`],
  ])('%s', (backups, expected) => {
    const line = `c.yaml:9:${expected}`;
    expect(issues(`${minimal}backups: ${backups}\n`).map((issue) => issue.slice(0, line.length))).toEqual([line]);
  });

  it('of a directory inside the data', () => {
    const text = minimal.replace('postgres: 17', 'postgres: { version: 17, data: /srv/pg }');
    expect(issues(`${text}backups: { to: /srv/pg/backups }\n`)).toEqual([
      `c.yaml:9:16 backups.to: '/srv/pg/backups' lies in the data directory, and would be lost with it. A directory that outlives the server`,
    ]);
  });
});

it('doubts differential backups that have nothing to build on', () => {
  const text = `${minimal}backups: { to: /mnt/b, full: never }\n`;
  expect(warnings(text)).toEqual([
    'c.yaml:9:30 backups.full: is never, and a differential backup builds on a full one. A schedule, or full ones by hand',
  ]);
  expect(warnings(text.replace('never', 'never, differential: never'))).toEqual([]);
});

it('reads what it wrote', () => {
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const prefix = fc.constantFrom('', '/a', '/a/b-c');
  const host = fc.constantFrom('h', 'a.example', '10.0.0.1', '[fd00::1]');
  const port = fc.constantFrom('', ':443', ':9000');
  const schedule = maybe(fc.constantFrom('never', 'weekly', 'Sat 01:00', '*/5 1 * * 2'));
  const place = fc.oneof(
    fc.record({
      to: prefix.map((at) => `s3://psf-pg${at}`),
      region: fc.constant('us-east-1'),
      endpoint: maybe(fc.tuple(host, port).map((parts) => parts.join(''))),
      ca: maybe(fc.constant('/x y')),
      addressing: maybe(fc.constantFrom('path', 'host')),
    }),
    fc.record({ to: prefix.map((at) => `gcs://psf-pg${at}`), endpoint: maybe(host) }),
    fc.record({ to: prefix.map((at) => `azure://psf-pg${at}`), account: fc.constant('abc'), endpoint: maybe(host) }),
    fc.record({
      to: fc.tuple(host, fc.constantFrom('', ':22', ':23')).map(([at, on]) => `sftp://me@${at}${on}/x`),
      host_key: fc.constant(fingerprint),
    }),
    fc.record({ to: fc.constant('/mnt/b') }),
  );
  const times = fc.record({
    full: schedule,
    differential: schedule,
    proof: schedule,
    from: maybe(fc.constantFrom('standby', 'primary')),
    time_zone: maybe(fc.constantFrom('UTC', 'Europe/Berlin')),
    keep: maybe(fc.constantFrom('1d', '5w')),
    compression: maybe(fc.constantFrom('zst', 'none')),
    processes: maybe(fc.integer({ min: 1, max: 64 })),
  });
  fc.assert(
    fc.property(place, times, (where, when) => {
      const first = parseClusterText(`${minimal}${stringify({ backups: { ...where, ...when } })}`, 'first');
      if (!first.ok) throw new Error(first.issues.map(({ message }) => message).join('\n'));
      const rendered = renderClusterFile(first.spec);
      expect(parseClusterText(rendered, 'second'), rendered).toMatchObject({ ok: true, spec: first.spec });
      expect(specDisagreements(first.spec)).toEqual([]);
    }),
    { numRuns: 100 },
  );
});
