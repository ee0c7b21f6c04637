import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { plainDatabase } from '../core/spec.ts';
import { formatIssues, loadClusterFile, parseClusterText } from './load.ts';

const minimal = `cluster: psf
domain: psf.io
nodes:
  database: { pg0: 10.0.1.10, pg1: 10.0.1.11 }
  witness: { mon0: 10.0.1.20 }
  app: { web0: 10.0.1.31, web1: 10.0.1.32 }
postgres: 17
databases: { shop: keeper }
`;

function issues(text: string): readonly string[] {
  const loaded = parseClusterText(text, 'c.yaml');
  return loaded.ok ? [] : formatIssues(loaded.issues);
}

function warnings(text: string): readonly string[] {
  const loaded = parseClusterText(text, 'c.yaml');
  return loaded.ok ? formatIssues(loaded.warnings) : ['refused'];
}

describe('a short cluster file', () => {
  const loaded = parseClusterText(
    `${minimal}datacenters: { iad1: { provider: Rackspace } }
applications: { shop: { nodes: [web0] } }
`.replace('web0: 10', 'web0.iad1: 10'),
    'c.yaml',
  );

  it('has a default for everything', () => {
    expect(loaded).toMatchObject({
      ok: true,
      warnings: [],
      spec: {
        contact: null,
        postgres: {
          major: 17,
          port: 5432,
          dataDirectory: null,
          binaryDirectory: null,
          parameters: {},
          walBudgetMb: 8192,
          hba: [],
        },
        poolers: { port: 6432, mode: 'transaction', poolSize: 20, maxClients: 200, queryWaitTimeoutS: 120 },
        switchover: {
          drainTimeoutMs: 10_000,
          stopTimeoutMs: 10_000,
          promoteTimeoutMs: 10_000,
          longTransactionMs: 5_000,
        },
        lease: { ttlMs: 6_000 },
        tls: { certificateLifeMs: 604_800_000 },
        durability: { commit: 'local', k: 1, withoutStandby: 'wait', acceptLossAfterMs: null },
        failover: { lossLimitBytes: 16 * 1024 * 1024 },
        databases: [plainDatabase('shop', 'keeper')],
      },
    });
  });

  it('puts the store on the first three database and witness nodes', () => {
    const endpoints = ['https://10.0.1.10:2379', 'https://10.0.1.11:2379', 'https://10.0.1.20:2379'];
    expect(loaded).toMatchObject({ spec: { store: { endpoints } } });
  });

  it('unfolds short names and finds datacenters in names', () => {
    expect(loaded).toMatchObject({
      spec: {
        applications: [
          { name: 'shop', database: 'shop', rights: 'rw', nodes: ['web0.iad1'], poolSize: null, outage: 'hold' },
        ],
      },
    });
    expect(loaded.ok && loaded.spec.nodes.map(({ name, datacenter }) => `${name} ${datacenter}`)).toEqual([
      'pg0 null',
      'pg1 null',
      'mon0 null',
      'web0.iad1 iad1',
      'web1 null',
    ]);
  });

  it('may leave sections empty, and writes IPv6 endpoints in brackets', () => {
    const six = parseClusterText(
      'cluster: a\ndomain: a.b\npostgres: 15\nnodes: {database: {x: fd00::1}, app: }\n',
      'c',
    );
    expect(six).toMatchObject({ ok: true, spec: { store: { endpoints: ['https://[fd00::1]:2379'] } } });
  });
});

describe('a mistake is named with its place and what would be right', () => {
  it.each([
    ['', 'c.yaml:1:1 the file is empty. '],
    ['- a', 'c.yaml:1:1 the file is not a map. '],
    [`${minimal}postgres: 16\n`, 'c.yaml:9:1 postgres: the key is there twice. '],
    [`${minimal}poler: {}\n`, `c.yaml:9:1 poler: this key is not known. Did you mean 'poolers'?`],
    [`${minimal}backups: {}\n`, 'c.yaml:9:1 backups: is not supported by this version'],
    [`${minimal}contact: &c x\n`, 'c.yaml:9:13 contact: anchors are not supported'],
    [`${minimal}contact: !x y\n`, 'c.yaml:9:13 contact: tags are not supported'],
    [`${minimal}? [a]\n: b\n`, 'c.yaml:9:1 a key is written with a question mark'],
    [`${minimal}__proto__: {}\n`, 'c.yaml:9:1 __proto__: this name is reserved'],
    [`${minimal}--- \na: b\n`, 'c.yaml:9:1 there is more than one document'],
    [`${minimal}lease: { ttl: 6 }\n`, 'c.yaml:9:15 lease.ttl: 6 has no unit. A duration such as 10s'],
    [`${minimal}lease: { ttl: 1s }\n`, `c.yaml:9:15 lease.ttl: '1s' is out of bounds. A duration from 2s to 5min`],
    [
      `${minimal}lease: { ttl: 2s }\n`,
      'c.yaml:9:15 lease.ttl: 2s is too short: two lost renewals would stop the primary',
    ],
    [
      `${minimal}poolers: { query_wait_timeout: 41s }\n`,
      'c.yaml:9:12 poolers.query_wait_timeout: clients give up after 41s',
    ],
    [
      `${minimal}poolers: { query_wait_timeout: 41500ms }\n`,
      `c.yaml:9:32 poolers.query_wait_timeout: '41500ms' is out of`,
    ],
    [`${minimal}switchover: { drain_timeout: 100s }\n`, 'c.yaml:9:1 switchover: clients give up after 120s'],
    [
      `${minimal}durability: synchronous\n`,
      `c.yaml:9:13 durability: 'synchronous' can't stand here. local, sync, or a map with keys such as 'commit'`,
    ],
    [
      `${minimal}durability: { without_standbys: wait }\n`,
      `c.yaml:9:15 durability.without_standbys: this key is not known`,
    ],
    [
      `${minimal}durability: { k: 2 }\n`,
      `c.yaml:9:18 durability.k: 2 can't acknowledge: there is one standby. At most 1`,
    ],
    [`${minimal}tls: { life: 1min }\n`, `c.yaml:9:14 tls.life: '1min' is out of bounds. A duration from 2min to 398d`],
    [
      `${minimal}durability: { unheard: { accept_loss_after: 1s } }\n`,
      `c.yaml:9:45 durability.unheard.accept_loss_after: '1s' is out of bounds. A duration from 10s to 7d`,
    ],
    [
      `${minimal}lease: { ttl: 10s }\ndurability: { unheard: { accept_loss_after: 20s } }\n`,
      'c.yaml:10:45 durability.unheard.accept_loss_after: 20s is no time for a slow node to be heard with a lease of 10s. At least 21s',
    ],
    [
      `${minimal.replace(', pg1: 10.0.1.11', '')}durability: sync\n`,
      'c.yaml:9:13 durability: waits for a standby, and there is no standby. A second database node, or local',
    ],
    [`${minimal}failover: { loss_limit: 16 }\n`, 'c.yaml:9:25 failover.loss_limit: 16 '],
    [`${minimal}store: { endpoints: ['http://x:1'] }\n`, `c.yaml:9:22 store.endpoints.0: 'http://x:1' is no endpoint`],
    [minimal.replace('postgres: 17', 'postgres: {}'), 'c.yaml:7:1 postgres.version: is missing'],
    [
      minimal.replace('postgres: 17', 'postgres: { version: 17, parameters: { Port: 1 } }'),
      'c.yaml:7:40 postgres.parameters.Port: is set by Understudy',
    ],
    [
      minimal.replace('10.0.1.11', '10.0.1.10'),
      `c.yaml:4:36 nodes.database.pg1.address: '10.0.1.10' is already the address of pg0`,
    ],
    [
      minimal.replace('10.0.1.11', 'localhost'),
      `c.yaml:4:36 nodes.database.pg1: 'localhost' is no address of one host`,
    ],
    [
      minimal.replace('10.0.1.11', '{ adress: 10.0.1.11 }'),
      `c.yaml:4:38 nodes.database.pg1.adress: this key is not known. Did you mean 'address'?`,
    ],
    [minimal.replace('pg1', 'PG1'), `c.yaml:4:31 nodes.database.PG1: 'PG1' is no node name`],
    [minimal.replace('mon0', 'pg0'), 'c.yaml:5:14 nodes.witness.pg0: is also declared as database node'],
    [
      minimal.replace('pg0', 'a-b').replace('pg1', 'a.b'),
      'c.yaml:4:31 nodes.database.a.b: needs the same replication slot as a-b',
    ],
    [minimal.replace('{ pg0: 10.0.1.10, pg1: 10.0.1.11 }', ''), 'c.yaml:4:3 nodes.database: there is no database node'],
    [
      minimal.replaceAll(/pg(.): (\S+?)(,| )/g, 'pg$1: { address: $2, failover: never }$3'),
      `c.yaml:4:3 nodes.database: every database node has 'failover: never'`,
    ],
    [
      minimal.replaceAll(/pg(.): (\S+?)(,| )/g, 'pg$1: { address: $2, priority: 200 }$3'),
      `c.yaml:4:96 nodes.database.pg1.priority: 200 makes two primaries' worth of priority`,
    ],
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
    [
      `${minimal.replace('shop: keeper', 'shop: keeper, blog: shop')}applications: { shop: { nodes: [web0] } }\n`,
      `c.yaml:9:17 applications.shop: uses shop, while the role 'shop' owns the database blog`,
    ],
    [
      `${minimal}applications: { shop: { nodes: [web2] } }\n`,
      `c.yaml:9:33 applications.shop.nodes.0: 'web2' is no node. Did you mean 'web0'?`,
    ],
    [
      `${minimal}applications: { shop: { nodes: [pg0] } }\n`,
      `c.yaml:9:33 applications.shop.nodes.0: 'pg0' is a database node`,
    ],
    [
      `${minimal}applications: { shop: { nodes: [web0, web0] } }\n`,
      `c.yaml:9:39 applications.shop.nodes.1: 'web0' is there twice`,
    ],
    [
      `${minimal}applications: { shp: { nodes: [web0] } }\n`,
      `c.yaml:9:17 applications.shp.database: uses the database 'shp', which is not declared. Did you mean 'shop'?`,
    ],
    [
      `${minimal}applications: { keeper: { database: shop, rights: ro, nodes: [web0] } }\n`,
      `c.yaml:9:17 applications.keeper: may only read, but`,
    ],
    [
      `${minimal}applications: { shop: { nodes: [web0] }, shop-ro: { database: shop, nodes: [web0] } }\n`,
      'c.yaml:9:42 applications.shop-ro: is already the alias',
    ],
    [`${minimal}version: 2\n`, 'c.yaml:9:10 version: 2 is not supported here. Write 1'],
    [
      minimal.replace('10.0.1.11', "'::ffff:10.0.1.10'"),
      `c.yaml:4:36 nodes.database.pg1.address: '::ffff:10.0.1.10' is`,
    ],
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
    [
      `${minimal.replace('pg1: 10.0.1.11', 'pg1.iad1: { address: 10.0.1.11, datacenter: ord1 }')}datacenters: { iad1: , ord1: }\n`,
      `c.yaml:4:75 nodes.database.pg1.iad1.datacenter: 'ord1' contradicts the name`,
    ],
    [
      minimal.replace('postgres: 17', 'postgres: { version: 17, port: 7432 }'),
      `c.yaml:7:32 postgres.port: 7432 is taken on pg0 by the agent's API`,
    ],
    [
      minimal.replace('postgres: 17', 'postgres: { version: 17, port: 2379 }'),
      'c.yaml:7:32 postgres.port: 2379 is taken on pg0 by the store',
    ],
    [
      minimal.replace('postgres: 17', 'postgres: { version: 17, port: 2380 }'),
      'c.yaml:7:32 postgres.port: 2380 is taken on pg0 by the store',
    ],
    [`${minimal}poolers: { port: 7432 }\n`, `c.yaml:9:18 poolers.port: 7432 is taken on web0 by the agent's API`],
    [
      `${minimal}poolers: { port: 2379 }\nstore: { endpoints: ['https://web1.psf.io:2379'] }\n`,
      'c.yaml:9:18 poolers.port: 2379 is taken on web1 by the store',
    ],
    [
      `${minimal}store: { endpoints: ['https://10.0.1.20:7432'] }\n`,
      `c.yaml:9:22 store.endpoints.0: 7432 is taken on mon0 by the agent's API`,
    ],
  ])('%j', (text, expected) => {
    expect(issues(text).map((issue) => issue.slice(0, expected.length))).toEqual([expected]);
  });

  it.each([
    ['{ user: eve, database: shop, from: 0.0.0.0/0 }', '0.from', 'is no address and no network'],
    [
      '{ user: eve, database: shop, from: 10.0.9.0/24, method: trust }',
      '0.method',
      "Write 'scram-sha-256' or 'cert' or 'peer'",
    ],
    [
      '{ user: eve, database: shop, from: 10.0.9.7, method: md5 }',
      '0.method',
      "Write 'scram-sha-256' or 'cert' or 'peer'",
    ],
    ['{ user: eve, database: shop, from: 10.0.9.7, method: peer }', '0.method', 'is for the socket alone'],
    ['{ user: eve, database: shop, method: cert }', '0.method', 'cert is for connections over TLS'],
    ['{ user: postgres, database: shop, from: 10.0.9.7 }', '0.user', "'postgres' is reserved"],
    ['{ user: all, database: shop, from: 10.0.9.7 }', '0.user', "'all' is reserved"],
    ['{ user: eve, database: replication, from: 10.0.9.7 }', '0.database', "'replication' is reserved"],
    ['{ user: eve, database: wiki, from: 10.0.9.7 }', '0.database', "names the database 'wiki', which is not"],
    ['{ user: eve, database: shop, type: host }', '0.type', 'this key is not known'],
  ])('rule of access %s', (rule, place, mistake) => {
    const [issue = '', ...more] = issues(minimal.replace('postgres: 17', `postgres: { version: 17, hba: [${rule}] }`));
    expect(more).toEqual([]);
    expect(issue).toMatch(/^c\.yaml:7:\d+ /);
    expect(issue).toContain(`postgres.hba.${place}: `);
    expect(issue).toContain(mistake);
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

it('takes the parameters of PostgreSQL as they are spelt', () => {
  const parameters =
    '{ log_file_mode: 0640, a: 0x1F, b: 1e3, c: 12345678901234567890, d: true, e: 0o640, f: 1.50, g: "07" }';
  expect(
    parseClusterText(minimal.replace('postgres: 17', `postgres: { version: 17, parameters: ${parameters} }`), 'c'),
  ).toMatchObject({
    ok: true,
    spec: {
      postgres: {
        parameters: {
          log_file_mode: '0640',
          a: '0x1F',
          b: '1e3',
          c: '12345678901234567890',
          d: 'on',
          e: '416',
          f: '1.50',
          g: '07',
        },
      },
    },
  });
});

describe('a doubt is a warning', () => {
  it.each([
    [
      `${minimal}durability: sync\n`,
      'c.yaml:9:1 durability: there is one standby for k 1: the loss of one stops every commit. One more',
    ],
    [
      minimal.replace('witness: { mon0: 10.0.1.20 }', 'witness:'),
      'c.yaml:1:1 store.endpoints: 2 store members bear no more',
    ],
    [
      minimal.replace(', pg1: 10.0.1.11', '').replace('mon0: 10.0.1.20', 'a: 10.1.1.1, b: 10.1.1.2'),
      'c.yaml:4:3 nodes.database: only pg0 can be primary',
    ],
    [
      `${minimal.replace('web0', 'web0.iad2')}datacenters: { iad1: }\n`,
      'c.yaml:6:10 nodes.app.web0.iad2: ends in no declared datacenter',
    ],
    [
      `${minimal}applications: { shop: { nodes: [web0, web1], pool_size: 150 } }\n`,
      'c.yaml:1:1 poolers.pool_size: the poolers may open 300',
    ],
  ])('%j', (text, expected) => {
    expect(warnings(text).map((warning) => warning.slice(0, expected.length))).toEqual([expected]);
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

  it('that is missing or a directory is an issue, not an exception', () => {
    expect(loadClusterFile(join(directory, 'missing'))).toMatchObject({
      ok: false,
      issues: [{ file: 'missing', line: 1 }],
    });
    expect(loadClusterFile(directory)).toMatchObject({ ok: false });
  });
});
