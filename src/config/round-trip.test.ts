/** Whatever the loader accepts, the renderer writes so that the loader reads the same; and nothing makes it throw. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseClusterText } from './load.ts';
import { renderClusterFile } from './render.ts';
import { specDisagreements } from './spec-disagreements.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts';

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/);
const identifier = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,12}$/).filter((name) => name !== '__proto__');
const words = fc.stringMatching(/^[ -~]{1,20}$/);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const ms = (from: number, to: number) => fc.integer({ min: from, max: to }).map((value) => `${value}ms`);

const datacenters = ['iad1', 'ord1'];
const nodeName = fc.tuple(label, fc.constantFrom('', '.iad1', '.ord1', '.elsewhere')).map((parts) => parts.join(''));
const nodeMap = {
  datacenter: maybe(fc.constantFrom(null, ...datacenters)),
  purpose: maybe(words),
  contact: maybe(words),
};
const section = <T>(node: fc.Arbitrary<T>) =>
  fc.dictionary(nodeName, node, { minKeys: 1, maxKeys: 4, noNullPrototype: true });

const file = fc
  .record({
    version: maybe(fc.constant(1)),
    cluster: label,
    domain: fc.constantFrom('psf.io', 'a', 'x.y.z'),
    contact: maybe(words),
    datacenters: fc.constant({ iad1: { provider: 'x' }, ord1: null }),
    nodes: fc.record({
      database: section(
        fc.record({
          ...nodeMap,
          priority: maybe(fc.integer({ min: 0, max: 99 })),
          failover: maybe(fc.constantFrom('allowed', 'never')),
        }),
      ),
      witness: maybe(section(fc.record(nodeMap))),
      app: section(fc.record(nodeMap)),
    }),
    postgres: fc.oneof(
      fc.integer({ min: 13, max: 18 }),
      fc.record({
        version: fc.constant(17),
        port: maybe(fc.integer({ min: 1, max: 65_535 })),
        data: maybe(fc.constant('/var/lib/x y')),
        parameters: maybe(
          fc.dictionary(fc.stringMatching(/^x[a-z]{1,5}$/), fc.oneof(words, fc.integer(), fc.boolean()), {
            maxKeys: 3,
          }),
        ),
        wal_budget: maybe(fc.integer({ min: 64, max: 99_999 }).map((mb) => `${mb}MB`)),
      }),
    ),
    databases: fc.dictionary(identifier, fc.option(identifier), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
    poolers: maybe(
      fc.record({
        mode: maybe(fc.constantFrom('transaction', 'session')),
        pool_size: maybe(fc.integer({ min: 1, max: 50 })),
      }),
    ),
    switchover: maybe(
      fc.record({
        drain_timeout: maybe(ms(100, 50_000)),
        max_lag: maybe(fc.integer({ min: 0, max: 1e9 }).map((n) => `${n}B`)),
      }),
    ),
    durability: maybe(
      fc.oneof(
        fc.constantFrom('local', 'sync'),
        fc.record({
          commit: maybe(fc.constantFrom('local', 'sync')),
          k: maybe(fc.integer({ min: 1, max: 2 })),
          without_standby: maybe(fc.constantFrom('wait', 'degrade')),
          unheard: maybe(fc.oneof(fc.constant('wait'), fc.record({ accept_loss_after: ms(20_000, 6e8) }))),
        }),
      ),
    ),
    failover: maybe(fc.record({ loss_limit: maybe(fc.constantFrom('unlimited', '0B', '1GB')) })),
    lease: maybe(fc.record({ ttl: ms(2_100, 300_000) })),
  })
  .map(({ nodes, databases, ...rest }) => {
    let next = 10;
    const addressed = Object.fromEntries(
      Object.entries(nodes).map(([role, section]) => [
        role,
        Object.fromEntries(
          Object.entries(section ?? {}).map(([name, node]) => [
            `${role.slice(0, 1)}-${name}`,
            // A name that ends in a datacenter may not contradict it.
            { address: `10.0.0.${next++}`, ...node, datacenter: name.includes('.') ? undefined : node.datacenter },
          ]),
        ),
      ]),
    );
    const on = Object.keys(addressed.app ?? {});
    const applications = Object.fromEntries(
      Object.keys(databases).map((database, index) => [
        `app${index}`,
        { database, nodes: on, ...(index % 2 === 0 ? {} : { outage: 'read_only' }) },
      ]),
    );
    return { ...rest, nodes: addressed, databases, applications };
  });

it('reads what it wrote', () => {
  let accepted = 0;
  fc.assert(
    fc.property(file, (declared) => {
      const first = parseClusterText(stringify(declared, { aliasDuplicateObjects: false }), 'first');
      if (!first.ok) return;
      accepted += 1;
      // A spec may share parts of itself; the file has no aliases for them.
      const [one] = first.spec.applications;
      const applications = first.spec.applications.map((each) => ({ ...each, nodes: one?.nodes ?? [] }));
      const rendered = renderClusterFile({ ...first.spec, applications });
      const second = parseClusterText(rendered, 'second');
      expect(second, rendered).toMatchObject({ ok: true, spec: first.spec });
      expect(specDisagreements(first.spec)).toEqual([]);
    }),
    { numRuns: 120 },
  );
  expect(accepted).toBeGreaterThan(60);
});

it('never throws on any text', () => {
  const minimal = 'cluster: a\ndomain: b.c\nnodes: { database: { d: 10.0.0.1 } }\npostgres: 17\n';
  const mutated = fc
    .tuple(
      fc.nat(minimal.length),
      fc.nat(8),
      fc.oneof(fc.string(), fc.constantFrom('&a ', '*a', '!!map', '? ', '- ', '{', '[', '|', '__proto__: ')),
    )
    .map(([at, gone, put]) => minimal.slice(0, at) + put + minimal.slice(at + gone));
  const values = fc
    .object({ key: fc.constantFrom('cluster', 'nodes', 'database', 'postgres', 'x', 'applications', 'lease') })
    .map((value) => stringify(value));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), mutated, values), (text) => {
      const loaded = parseClusterText(text, 'x');
      if (loaded.ok) return;
      expect(loaded.issues.length).toBeGreaterThan(0);
      for (const { line, column, message } of loaded.issues) {
        expect(line).toBeGreaterThan(0);
        expect(column).toBeGreaterThan(0);
        expect(message).toMatch(/\S\. \S|\?$/);
      }
    }),
    { numRuns: 400 },
  );
});

it('formats durations and sizes so that they read back', () => {
  fc.assert(fc.property(fc.nat(1e12), (value) => parseDuration(formatDuration(value)) === value));
  fc.assert(fc.property(fc.nat(1e12), (value) => parseSize(formatSize(value)) === value));
});
