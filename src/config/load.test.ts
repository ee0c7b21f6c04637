import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { issues, minimal } from '../../test/fixtures/cluster-text.ts';
import { loadClusterFile } from './load.ts';

describe('a mistake is named with its place and what would be right', () => {
  it.each([
    ['', 'c.yaml:1:1 the file is empty. '],
    ['- a', 'c.yaml:1:1 the file is not a map. '],
    [`${minimal}postgres: 16\n`, 'c.yaml:9:1 postgres: the key is there twice. '],
    [`${minimal}poler: {}\n`, `c.yaml:9:1 poler: this key is not known. Did you mean 'poolers'?`],
    [`${minimal}alarms: {}\n`, 'c.yaml:9:1 alarms: is not supported by this version'],
    [`${minimal}contact: &c x\n`, 'c.yaml:9:13 contact: anchors are not supported'],
    [`${minimal}contact: !x y\n`, 'c.yaml:9:13 contact: tags are not supported'],
    [`${minimal}? [a]\n: b\n`, 'c.yaml:9:1 a key is written with a question mark'],
    [`${minimal}__proto__: {}\n`, 'c.yaml:9:1 __proto__: this name is reserved'],
    [`${minimal}--- \na: b\n`, 'c.yaml:9:1 there is more than one document'],
    [`${minimal}lease: { ttl: 6 }\n`, 'c.yaml:9:15 lease.ttl: 6 has no unit. A duration such as 10s'],
    [`${minimal}lease: { ttl: 1s }\n`, `c.yaml:9:15 lease.ttl: '1s' is out of bounds. A duration from 2s to 5min`],
    [
      `${minimal}poolers: { query_wait_timeout: 41500ms }\n`,
      `c.yaml:9:32 poolers.query_wait_timeout: '41500ms' is out of`,
    ],
    [
      `${minimal}durability: synchronous\n`,
      `c.yaml:9:13 durability: 'synchronous' can't stand here. local, sync, or a map with keys such as 'commit'`,
    ],
    [
      `${minimal}durability: { without_standbys: wait }\n`,
      `c.yaml:9:15 durability.without_standbys: this key is not known`,
    ],
    [`${minimal}tls: { life: 1min }\n`, `c.yaml:9:14 tls.life: '1min' is out of bounds. A duration from 2min to 398d`],
    [
      `${minimal}durability: { unheard: { accept_loss_after: 1s } }\n`,
      `c.yaml:9:45 durability.unheard.accept_loss_after: '1s' is out of bounds. A duration from 10s to 7d`,
    ],
    [`${minimal}failover: { loss_limit: 16 }\n`, 'c.yaml:9:25 failover.loss_limit: 16 '],
    [`${minimal}store: { endpoints: ['http://x:1'] }\n`, `c.yaml:9:22 store.endpoints.0: 'http://x:1' is no endpoint`],
    [minimal.replace('postgres: 17', 'postgres: {}'), 'c.yaml:7:1 postgres.version: is missing'],
    [
      minimal.replace('postgres: 17', 'postgres: { version: 17, parameters: { Port: 1 } }'),
      'c.yaml:7:40 postgres.parameters.Port: is set by Understudy',
    ],
    [
      minimal.replace('10.0.1.11', 'localhost'),
      `c.yaml:4:36 nodes.database.pg1: 'localhost' is no address of one host`,
    ],
    [
      minimal.replace('10.0.1.11', '{ adress: 10.0.1.11 }'),
      `c.yaml:4:38 nodes.database.pg1.adress: this key is not known. Did you mean 'address'?`,
    ],
    [
      minimal.replace('10.0.1.11', '{ address: 10.0.1.11, delay: 4h, failover: allowed }'),
      `c.yaml:4:79 nodes.database.pg1.failover: contradicts 'delay': whoever is primary has no delay`,
    ],
    [
      minimal.replace('10.0.1.10', '{ address: 10.0.1.10, delay: 4h }'),
      `c.yaml:4:49 nodes.database.pg0.delay: is on the first node, which initialises the cluster. Another node first`,
    ],
    [
      minimal.replace('10.0.1.11', '{ address: 10.0.1.11, delay: 30d }'),
      `c.yaml:4:65 nodes.database.pg1.delay: '30d' is out of bounds. A duration from 1s to 24d`,
    ],
    [
      `${minimal.replace('10.0.1.11', '{ address: 10.0.1.11, delay: 4h }')}durability: sync\n`,
      `c.yaml:9:13 durability: waits for a standby, and there is no standby. A second`,
    ],
    [minimal.replace('pg1', 'PG1'), `c.yaml:4:31 nodes.database.PG1: 'PG1' is no node name`],
    [minimal.replace('{ pg0: 10.0.1.10, pg1: 10.0.1.11 }', ''), 'c.yaml:4:3 nodes.database: there is no database node'],
    [minimal.replace('shop: keeper', 'postgres: keeper'), `c.yaml:8:14 databases.postgres: 'postgres' is reserved`],
    [minimal.replace('shop: keeper', 'shop: pg_x'), `c.yaml:8:20 databases.shop: 'pg_x' is reserved`],
    [
      minimal.replace('shop: keeper', `'shop"; drop role x': keeper`),
      `c.yaml:8:14 databases.shop"; drop role x: 'shop"; drop role x' can't be a name in PostgreSQL`,
    ],
    [
      minimal.replace('shop: keeper', 'shop: { encoding: utf-8 }'),
      `c.yaml:8:32 databases.shop.encoding: 'utf-8' is not supported here`,
    ],
    [
      minimal.replace('shop: keeper', `shop: { locale: "C' x" }`),
      `c.yaml:8:30 databases.shop.locale: 'C' x' is no name of a locale`,
    ],
    [
      minimal.replace('shop: keeper', `shop: { extensions: ['pg_trgm; x'] }`),
      `c.yaml:8:35 databases.shop.extensions.0: 'pg_trgm; x' can't be the name of an extension`,
    ],
    [
      minimal.replace('shop: keeper', 'shop: { connection_limit: 0 }'),
      `c.yaml:8:40 databases.shop.connection_limit: 0 can't stand here. A whole number from 1`,
    ],
    [
      minimal.replace('shop: keeper', 'shop: { settings: { role: postgres } }'),
      'c.yaml:8:34 databases.shop.settings.role: is set by Understudy: logins act',
    ],
    [
      minimal.replace('shop: keeper', 'shop: { settings: { Work_Mem: 1MB, work_mem: 2MB } }'),
      'c.yaml:8:49 databases.shop.settings.work_mem: is the same parameter as Work_Mem',
    ],
    [`${minimal}version: 2\n`, 'c.yaml:9:10 version: 2 is not supported here. Write 1'],
    [minimal.replace('10.0.1.11', "'fe80::1'"), `c.yaml:4:36 nodes.database.pg1: 'fe80::1' is no address of one host`],
    [minimal.replace('10.0.1.11', '169.254.1.1'), `c.yaml:4:36 nodes.database.pg1: '169.254.1.1' is no address`],
    [minimal.replace('10.0.1.11', "'::ffff:0.0.0.0'"), `c.yaml:4:36 nodes.database.pg1: '::ffff:0.0.0.0' is no addr`],
    [minimal.replace('10.0.1.11', '239.1.1.1'), `c.yaml:4:36 nodes.database.pg1: '239.1.1.1' is no address`],
    [
      minimal.replace('postgres: 17', 'postgres: 19'),
      `c.yaml:7:11 postgres: 19 can't stand here. A whole number from 13`,
    ],
    [
      minimal.replace('postgres: 17', 'postgres: 12'),
      `c.yaml:7:11 postgres: 12 can't stand here. A whole number from 13`,
    ],
  ])('%j', (text, expected) => {
    expect(issues(text).map((issue) => issue.slice(0, expected.length))).toEqual([expected]);
  });

  it('all at once and in order, also behind a misspelt key', () => {
    const text = minimal.replace('10.0.1.11', '10.0.1.10').replace('cluster', 'contct: x\ncluster');
    expect(issues(text).map((issue) => issue.split(': ')[0])).toEqual([
      'c.yaml:1:1 contct',
      'c.yaml:5:36 nodes.database.pg1.address',
    ]);
  });
});

describe('mistakes hide no others', () => {
  const rest = 'lease: { ttl: 2s }\n';
  const places = (text: string) => issues(`${text}${rest}`).map((issue) => issue.split(': ')[0]);

  it('behind a misspelt required key, in whose map there is another', () => {
    expect(places(minimal.replace('postgres: 17', 'postgress: { version: 99, prot: 7432 }'))).toEqual([
      'c.yaml:7:1 postgress',
      'c.yaml:7:23 postgress.version',
      'c.yaml:7:27 postgress.prot',
    ]);
    expect(places(minimal.replace('postgres: 17', 'postgress: { version: 17, prot: 7432 }'))).toEqual([
      'c.yaml:7:1 postgress',
      'c.yaml:7:27 postgress.prot',
      'c.yaml:7:33 postgress.prot',
      'c.yaml:9:15 lease.ttl',
    ]);
  });

  it('behind bad addresses', () => {
    expect(places(minimal.replace('10.0.1.11', 'pg1.psf.io').replace('10.0.1.20', '0.0.0.0'))).toEqual([
      'c.yaml:4:36 nodes.database.pg1',
      'c.yaml:5:20 nodes.witness.mon0',
      'c.yaml:9:15 lease.ttl',
    ]);
  });

  it('and what is meant is not guessed behind any other', () => {
    expect(places(`${minimal}contact: 5\n`)).toEqual(['c.yaml:9:10 contact']);
  });

  it('but shows fifty at once', () => {
    const lines = issues(`${minimal}${Array.from({ length: 60 }, (_, index) => `unheard${index}: 1\n`).join('')}`);
    expect(lines).toHaveLength(51);
    expect(lines.at(-1)).toBe('and 10 more like these');
  });
});

describe('a file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'understudy-config-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.each<[string, string | Uint8Array, string]>([
    ['binary', Uint8Array.of(0x63, 0xff, 0xfe), 'the file is not UTF-8'],
    ['huge', `#${'x'.repeat(1024 * 1024)}`, 'the file is too large'],
    ['deep', '['.repeat(20_000), 'nested too deeply'],
    ['deep in lines', '- '.repeat(20_000), 'nested too deeply'],
    ['deep behind closing brackets', `${']'.repeat(20_000)}${'['.repeat(20_000)}`, 'nested too deeply'],
    ['in pieces', `[${'[],'.repeat(80_000)}]`, 'too many parts'],
    [
      'bomb',
      `a: &a [x,x]\n${'bcdefgh'.replaceAll(/./g, (key) => `${key}: &${key} [*a,*a,*a,*a]\n`)}`,
      'anchors are not supported',
    ],
  ])('that is %s is refused', (name, content, message) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    const loaded = loadClusterFile(path);
    expect(loaded.ok ? [] : loaded.issues.map((issue) => issue.message)).toContainEqual(
      expect.stringContaining(message),
    );
  });

  it('that is missing or a directory is told as such, and is no mistake at a place', () => {
    const missing = join(directory, 'missing');
    expect(loadClusterFile(missing)).toEqual({
      ok: false,
      issues: [],
      unreadable: `the cluster file ${missing} can't be read: there is none`,
    });
    expect(loadClusterFile(directory)).toMatchObject({ unreadable: `the cluster file ${directory} is no file` });
  });
});
