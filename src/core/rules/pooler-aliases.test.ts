import { expect, it } from 'vitest';
import { Rehearsal } from '../../../test/fixtures/pooler-rehearsal.ts';
import { plainApplication } from '../plain-spec.ts';
import { type PoolerAlias, pausable } from '../pooler-configuration.ts';
import { configurationOf } from './pooler-aliases.ts';
import { noPoolerMemory, type PoolerMemory } from './pooler-memory.ts';

const pointedAt = (node: 'db1' | 'db2', more: Partial<PoolerMemory> = {}): PoolerMemory => ({
  ...noPoolerMemory,
  primary: { node, address: node === 'db1' ? '10.0.0.1' : '10.0.0.2', port: 5432 },
  ...more,
});

function aliases(memory: PoolerMemory, isLost = false, application = 'shop'): readonly PoolerAlias[] {
  const view = new Rehearsal().view();
  const wanted = view.wanted && {
    ...view.wanted,
    applications: [plainApplication(application, ['web1'])],
    credentials: [{ application, generation: 1, clientPassword: 1 }],
  };
  return configurationOf({ ...view, wanted }, memory, [], isLost).configuration?.aliases ?? [];
}

it('leads an alias to every database node, and to none but that', () => {
  expect(
    aliases(pointedAt('db1'))
      .filter((alias) => alias.ofOneNode)
      .map(({ name, addresses, port }) => [name, addresses, port]),
  ).toEqual([
    ['shop.db1', ['10.0.0.1'], 5432],
    ['shop.db2', ['10.0.0.2'], 5432],
    ['shop.db3', ['10.0.0.3'], 5432],
  ]);
});

it.each([
  ['the primary moves', pointedAt('db2'), false],
  ['nobody may write', pointedAt('db1', { readOnly: true }), false],
  ['the primary is lost', pointedAt('db1'), true],
])('leaves them as they are when %s', (_, memory, isLost) => {
  expect(aliases(memory, isLost).filter((alias) => alias.ofOneNode)).toEqual(
    aliases(pointedAt('db1')).filter((alias) => alias.ofOneNode),
  );
});

it('pauses none of them', () => {
  expect(pausable(aliases(pointedAt('db1'))).map(({ name }) => name)).toEqual(['shop']);
});

it('leaves out those that pgbouncer could not name', () => {
  const name = 'a'.repeat(60);
  expect(aliases(pointedAt('db1'), false, name).map((alias) => alias.name)).toEqual([name, `${name}-ro`]);
});
