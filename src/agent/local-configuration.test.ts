import { describe, expect, it } from 'vitest';
import { spec3 } from '../../test/fixtures/spec.ts';
import { held, memberStatus, members, primary, released, standby, stored } from '../../test/fixtures/view.ts';
import type { LocalPostgres, StoreView } from '../core/cluster-view.ts';
import { LocalConfiguration } from './local-configuration.ts';

const demanded = { standbys: ['db2', 'db3'], k: 1 };
const two = { standbys: ['db2'], k: 1 };

/** Of db1. Answers what the server would be given: its floor, and whom its commits wait for. */
function configured(image: Partial<Pick<StoreView, 'lease' | 'members'>> = {}, server: LocalPostgres | null = null) {
  const durability = stored({ term: 5, ...demanded });
  const mirror = { image: { lease: held('db1'), members: members(), durability, ...image } };
  const given: { floor: object; sync: object }[] = [];
  const local = new LocalConfiguration({
    self: 'db1',
    mirror,
    server: () => server,
    configuration: (_, floor, sync) => {
      given.push({ floor, sync });
      return { parameters: {}, hba: [], ident: [] };
    },
  });
  const of = (sync?: typeof demanded) => {
    local.of(spec3(), sync);
    return given.at(-1);
  };
  return { of, mirror };
}

describe('whom commits wait for', () => {
  it('is what the record demands, from the first instant', () => {
    expect(configured().of()?.sync).toEqual(demanded);
    expect(configured({ lease: held('db2') }).of()?.sync).toEqual(demanded);
  });

  it('is what the holder set, until it is the holder no more', () => {
    const { of, mirror } = configured();
    expect(of(two)?.sync).toEqual(two);
    expect(of()?.sync).toEqual(two);
    mirror.image.lease = held('db2');
    expect(of()?.sync).toEqual(demanded);
    mirror.image.lease = held('db1');
    expect(of()?.sync).toEqual(demanded);
  });
});

describe('the floor', () => {
  const standbyMinimums = { max_connections: 300 };
  const all = members(memberStatus('db2', { standbyMinimums }));

  it.each<[string, Parameters<typeof configured>, object]>([
    ['of a standby is what its primary runs with', [{ lease: held('db2'), members: all }], standbyMinimums],
    ['of a holder that is no primary yet is its own', [{}, standby({ standbyMinimums })], standbyMinimums],
    ['of a primary is none', [{}, primary({ standbyMinimums })], {}],
    ['is none while nobody holds the lease', [{ lease: released('db2', null), members: all }], {}],
  ])('%s', (_, scene, floor) => {
    expect(configured(...scene).of()?.floor).toEqual(floor);
  });
});
