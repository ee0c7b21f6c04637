import { describe, expect, it } from 'vitest';
import { issues, minimal, warnings } from '../../test/fixtures/cluster-text.ts';

describe('what can stand alone and not together is named with its place and what would be right', () => {
  it.each([
    [
      `${minimal}lease: { ttl: 2s }\n`,
      'c.yaml:9:15 lease.ttl: 2s is too short: two lost renewals would stop the primary',
    ],
    [
      `${minimal}poolers: { query_wait_timeout: 41s }\n`,
      'c.yaml:9:12 poolers.query_wait_timeout: clients give up after 41s',
    ],
    [`${minimal}switchover: { drain_timeout: 100s }\n`, 'c.yaml:9:1 switchover: clients give up after 120s'],
    [
      `${minimal}durability: { k: 2 }\n`,
      `c.yaml:9:18 durability.k: 2 can't acknowledge: there is one standby. At most 1`,
    ],
    [
      `${minimal}lease: { ttl: 10s }\ndurability: { unheard: { accept_loss_after: 20s } }\n`,
      'c.yaml:10:45 durability.unheard.accept_loss_after: 20s is no time for a slow node to be heard with a lease of 10s. At least 21s',
    ],
    [
      `${minimal.replace(', pg1: 10.0.1.11', '')}durability: sync\n`,
      'c.yaml:9:13 durability: waits for a standby, and there is no standby. A second database node, or local',
    ],
    [
      minimal.replace('10.0.1.11', '10.0.1.10'),
      `c.yaml:4:36 nodes.database.pg1.address: '10.0.1.10' is already the address of pg0`,
    ],
    [minimal.replace('mon0', 'pg0'), 'c.yaml:5:14 nodes.witness.pg0: is also declared as database node'],
    [
      minimal.replace('pg0', 'a-b').replace('pg1', 'a.b'),
      'c.yaml:4:31 nodes.database.a.b: needs the same replication slot as a-b',
    ],
    [
      minimal.replaceAll(/pg(.): (\S+?)(,| )/g, 'pg$1: { address: $2, failover: never }$3'),
      `c.yaml:4:3 nodes.database: every database node has 'failover: never'`,
    ],
    [
      minimal.replaceAll(/pg(.): (\S+?)(,| )/g, 'pg$1: { address: $2, priority: 200 }$3'),
      `c.yaml:4:96 nodes.database.pg1.priority: 200 makes two primaries' worth of priority`,
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
    [
      `${minimal.replace('pg1', 'p'.repeat(40))}applications: { ${'a'.repeat(24)}: { database: shop, nodes: [web0] } }\n`,
      `c.yaml:9:17 applications.${'a'.repeat(24)}: is too long together with the database node ${'p'.repeat(40)}`,
    ],
    [
      minimal.replace('10.0.1.11', "'::ffff:10.0.1.10'"),
      `c.yaml:4:36 nodes.database.pg1.address: '::ffff:10.0.1.10' is`,
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
