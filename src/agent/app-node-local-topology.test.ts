import type { Topology } from '@understudy/client/topology';
import { beforeEach, expect, it } from 'vitest';
import { topology } from '../../test/fixtures/pooler-rehearsal.ts';
import { type LocalFacts, LocalTopologyView } from './app-node-local-topology.ts';

let facts: LocalFacts;
let view: LocalTopologyView;
let changes: number;

beforeEach(() => {
  facts = { cluster: 'test', nowMs: 1_000, sightings: [], report: { term: 0, state: 'down', readOnly: false } };
  view = new LocalTopologyView(() => facts);
  changes = 0;
  view.onChange(() => {
    changes += 1;
  });
});

function hear(agent: string, term: number, more: Partial<Topology> = {}): void {
  const said = { ...topology(agent, { term, primary: 'db1', standbys: ['db2'] }), ...more };
  const others = facts.sightings.filter((sighting) => sighting.agent !== agent);
  facts = { ...facts, sightings: [...others, { agent, topology: said, atMs: facts.nowMs }] };
}

it('says that nothing was heard yet', () => {
  expect(view.current()).toEqual({
    version: 1,
    topology: null,
    heardAgoMs: null,
    pooler: { state: 'down', readOnly: false },
  });
});

it("takes the primary's own word first, and says how old it is", () => {
  hear('db1', 2, { ageMs: 30 });
  hear('db2', 2, { ageMs: 1 });
  facts = { ...facts, nowMs: 1_500 };
  expect(view.current()).toMatchObject({ topology: { from: 'db1', term: 2 }, heardAgoMs: 500 });
  // Long silent: the others know better.
  facts = { ...facts, nowMs: 9_000 };
  expect(view.current()).toMatchObject({ topology: { from: 'db2' }, heardAgoMs: 8_000 });
});

it('never goes back behind the term that the pooler was pointed by, nor listens to another cluster', () => {
  hear('db1', 2);
  hear('db2', 9, { cluster: 'other' });
  facts = { ...facts, report: { ...facts.report, term: 3 } };
  expect(view.current().topology).toBeNull();
});

it('tells of each change once, and of ages and lags never', () => {
  hear('db1', 2);
  view.look();
  expect(changes).toBe(1);
  hear('db1', 2, { ageMs: 77 });
  view.look();
  expect(changes).toBe(1);
  hear('db1', 2, { standbys: [] });
  view.look();
  facts = { ...facts, report: { ...facts.report, state: 'open' } };
  view.look();
  expect(changes).toBe(3);
});
