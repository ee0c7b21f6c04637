import { describe, expect, it } from 'vitest';
import { minimal } from '../../test/fixtures/cluster-text.ts';
import { plainApplication, plainNode, plainSpec } from '../core/plain-spec.ts';
import { plainDatabase } from '../core/spec.ts';
import { parseClusterText } from './load.ts';
import { renderClusterFile } from './render.ts';

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

  it('means what the plain declaration means', () => {
    const read = parseClusterText(minimal, 'c.yaml');
    const nodes = [
      plainNode('pg0', 'database', '10.0.1.10'),
      plainNode('pg1', 'database', '10.0.1.11'),
      plainNode('mon0', 'witness', '10.0.1.20'),
      plainNode('web0', 'app', '10.0.1.31'),
      plainNode('web1', 'app', '10.0.1.32'),
    ];
    const storeEndpoints = ['https://10.0.1.10:2379', 'https://10.0.1.11:2379', 'https://10.0.1.20:2379'];
    const plain = plainSpec({ cluster: 'psf', domain: 'psf.io', nodes, postgresMajor: 17, storeEndpoints });
    expect(read.ok && read.spec).toEqual({ ...plain, databases: [plainDatabase('shop', 'keeper')] });
    const withApplication = parseClusterText(`${minimal}applications: { shop: { nodes: [web0] } }\n`, 'c.yaml');
    expect(withApplication.ok && withApplication.spec.applications).toEqual([plainApplication('shop', ['web0'])]);
  });

  it('puts the store on the first three database and witness nodes', () => {
    const endpoints = ['https://10.0.1.10:2379', 'https://10.0.1.11:2379', 'https://10.0.1.20:2379'];
    expect(loaded).toMatchObject({ spec: { store: { endpoints } } });
  });

  it('takes a delayed standby for one that is never primary', () => {
    const text = minimal.replace('pg1: 10.0.1.11', 'pg1: { address: 10.0.1.11, delay: 4h }');
    const spec = parseClusterText(text, 'c.yaml');
    expect(spec.ok && spec.spec.nodes[1]).toMatchObject({ name: 'pg1', failover: 'never', applyDelayMs: 14_400_000 });
    expect(spec.ok && parseClusterText(renderClusterFile(spec.spec), 'c.yaml')).toMatchObject({
      spec: spec.ok && spec.spec,
    });
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
