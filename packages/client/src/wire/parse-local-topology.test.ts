import { expect, it } from 'vitest';
import type { LocalTopology } from './local-topology.ts';
import { parseLocalTopology } from './parse-local-topology.ts';
import { TopologyError } from './parse-topology.ts';

const heard: LocalTopology = {
  version: 1,
  topology: {
    version: 1,
    cluster: 'psf',
    from: 'pg0',
    term: 8,
    primary: null,
    standbys: [],
    pause: null,
    readOnly: false,
    ended: null,
    ageMs: 3,
  },
  heardAgoMs: 12.5,
  pooler: { state: 'held', readOnly: false },
};
const nothing: LocalTopology = { ...heard, topology: null, heardAgoMs: null };

const wire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

it.each([
  ['a topology', heard],
  ['nothing', nothing],
])('reads back %s that was heard', (_, local) => {
  expect(parseLocalTopology(wire(local))).toEqual(local);
});

it('drops what it does not know, and knows no state that a newer agent has', () => {
  const newer = { ...heard, hue: 1, pooler: { state: 'dreaming', readOnly: false, clients: 3 } };
  expect(parseLocalTopology(wire(newer))).toEqual({ ...heard, pooler: { state: 'unknown', readOnly: false } });
});

it.each([
  ['', null],
  ['version', { ...heard, version: 2 }],
  ['term', { ...heard, topology: { ...heard.topology, term: -1 } }],
  ['heardAgoMs', { ...heard, heardAgoMs: 'long' }],
  ['heardAgoMs', { ...heard, heardAgoMs: null }],
  ['heardAgoMs', { ...nothing, heardAgoMs: 1 }],
  ['pooler', { ...heard, pooler: [] }],
  ['pooler.state', { ...heard, pooler: { readOnly: true } }],
  ['pooler.readOnly', { ...heard, pooler: { state: 'open', readOnly: 0 } }],
])('names %j when it is wrong', (path, value) => {
  expect(() => parseLocalTopology(value)).toThrow(TopologyError);
  expect(() => parseLocalTopology(value)).toThrow(expect.objectContaining({ path }));
});
