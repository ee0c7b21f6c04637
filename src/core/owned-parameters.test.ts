import { expect, it } from 'vitest';
import { ownedParameterNames, whyOwned } from './owned-parameters.ts';
import { serverConfiguration } from './rules/settings.ts';
import type { NodeSpec, Spec } from './spec.ts';

const node: NodeSpec = {
  name: 'db1',
  address: '10.0.0.1',
  role: 'database',
  datacenter: null,
  priority: 100,
  failover: 'allowed',
  purpose: null,
  contact: null,
};

function parametersWith(parameters: Spec['postgres']['parameters']): Readonly<Record<string, string>> {
  const spec: Spec = {
    version: 1,
    cluster: 'test',
    domain: 'test.internal',
    contact: null,
    datacenters: {},
    nodes: [node],
    postgres: { major: 17, port: 5432, dataDirectory: null, binaryDirectory: null, parameters, walBudgetMb: 4096 },
    store: { kind: 'etcd', endpoints: [], caFile: null },
    poolers: { port: 6432, mode: 'transaction', poolSize: 10, maxClients: 100, queryWaitTimeoutS: 120 },
    databases: [],
    applications: [],
    switchover: { drainTimeoutMs: 1, stopTimeoutMs: 1, promoteTimeoutMs: 1, longTransactionMs: 1, maxLagBytes: 1 },
    lease: { ttlMs: 6000 },
  };
  return serverConfiguration(spec, node.name, {
    socketDirectory: '/run/understudy',
    tls: { ca: '/ca', certificate: '/certificate', key: '/key' },
    osUser: 'postgres',
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

it.each(['work_mem', 'max_connections', 'pg_stat_statements.max', 'constructor'])('leaves %s to the user', (name) => {
  expect(whyOwned(name)).toBeUndefined();
});
