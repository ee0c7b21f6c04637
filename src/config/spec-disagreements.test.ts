import { expect, it } from 'vitest';
import type { Spec } from '../core/spec.ts';
import { parseClusterText } from './load.ts';
import { specDisagreements } from './spec-disagreements.ts';

const text = `cluster: psf
domain: psf.io
datacenters: { iad1: }
nodes:
  database: { pg0.iad1: 10.0.1.10, pg1.iad1: 10.0.1.11 }
  app: { web0.iad1: 10.0.1.31 }
postgres: { version: 17, parameters: { work_mem: 16MB } }
databases: { shop: shop }
applications: { shop: { nodes: [web0] } }
`;

function loaded(): Spec {
  const result = parseClusterText(text, 'c');
  if (!result.ok) throw new Error(result.issues.map(({ message }) => message).join('\n'));
  return result.spec;
}

const spec = loaded();
const [first] = spec.applications;

it('there are none in what the loader accepted', () => {
  expect(specDisagreements(spec)).toEqual([]);
});

it.each<[string, Partial<Spec>]>([
  ['postgres.parameters.port: is set by Understudy', { postgres: { ...spec.postgres, parameters: { port: '1' } } }],
  ['postgres.port: 7432 is taken on pg0.iad1', { postgres: { ...spec.postgres, port: 7432 } }],
  ['lease.ttl: 2s is too short', { lease: { ttlMs: 2_000 } }],
  ['lease.ttl: ', { lease: { ttlMs: 6_000.5 } }],
  ['applications.shop.database: uses the database', { databases: [] }],
  ['nodes.database: there is no database node', { nodes: spec.nodes.filter(({ role }) => role === 'app') }],
  ['nodes: is not in its complete form', { nodes: [...spec.nodes].reverse() }],
  [
    'applications: is not in its complete form',
    { applications: first === undefined ? [] : [{ ...first, nodes: ['web0'] }] },
  ],
])('%s', (expected, change) => {
  expect(specDisagreements({ ...spec, ...change }).map((text) => text.slice(0, expected.length))).toContain(expected);
});
