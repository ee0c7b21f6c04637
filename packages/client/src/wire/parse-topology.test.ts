import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTopology, TopologyError } from './parse-topology.ts';
import type { Topology } from './topology.ts';

const full: Topology = {
  version: 1,
  cluster: 'psf',
  from: 'pg0',
  term: 8,
  primary: {
    node: 'pg0',
    hostName: 'pg0.psf.io',
    address: '10.0.1.10',
    port: 5432,
    timeline: 4,
    datacenter: 'iad1',
    writable: true,
  },
  standbys: [
    {
      node: 'pg1',
      hostName: 'pg1.psf.io',
      address: '10.0.1.11',
      port: 5432,
      timeline: 4,
      datacenter: 'iad1',
      streaming: true,
      lagBytes: 0,
    },
    {
      node: 'pg2',
      hostName: 'pg2.psf.io',
      address: '10.0.1.12',
      port: 5432,
      timeline: null,
      datacenter: null,
      streaming: false,
      lagBytes: null,
    },
  ],
  pause: { operation: 'S-1', term: 8, without: ['web1'], limitMs: 12_000 },
  readOnly: true,
  ended: 'S-0',
  ageMs: 12.5,
};

const empty: Topology = {
  version: 1,
  cluster: 'psf',
  from: 'pg0',
  term: 0,
  primary: null,
  standbys: [],
  pause: null,
  readOnly: false,
  ended: null,
  ageMs: null,
};

const wire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Every path in a value that leads to something, as lists of keys. */
function pathsOf(value: unknown, at: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (Array.isArray(value)) return [at, ...value.flatMap((item, index) => pathsOf(item, [...at, index]))];
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...at, key]))];
}

function replaced(value: unknown, path: readonly (string | number)[], by: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.map((item, index) => (index === key ? replaced(item, rest, by) : item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, k === key ? replaced(v, rest, by) : v]));
}

describe('parseTopology', () => {
  it.each([
    ['everything', full],
    ['nothing', empty],
  ])('reads back a topology with %s in it', (_, topology) => {
    expect(parseTopology(wire(topology))).toEqual(topology);
  });

  it('drops what it does not know', () => {
    const newer = { ...full, colour: 'red', primary: { ...full.primary, hue: 1 } };
    expect(parseTopology(wire(newer))).toEqual(full);
  });

  it('reads what an agent of an earlier version says', () => {
    const former = { node: 'pg0', hostName: 'pg0.psf.io', address: '10.0.1.10', port: 5432 };
    const { primary } = parseTopology(wire({ ...full, primary: { ...former, writable: true }, readOnly: undefined }));
    expect(primary).toEqual({ ...former, timeline: null, datacenter: null, writable: true });
  });

  it.each([
    ['version', { ...full, version: 2 }],
    ['term', { ...full, term: 1.5 }],
    ['term', { ...full, term: '8' }],
    ['primary.port', { ...full, primary: { ...full.primary, port: 70_000 } }],
    ['primary.timeline', { ...full, primary: { ...full.primary, timeline: -1 } }],
    ['primary.datacenter', { ...full, primary: { ...full.primary, datacenter: 7 } }],
    ['primary.writable', { ...full, primary: { ...full.primary, writable: 'yes' } }],
    ['standbys[1].lagBytes', { ...full, standbys: [full.standbys[0], { ...full.standbys[1], lagBytes: -1 }] }],
    ['pause.without[0]', { ...full, pause: { ...full.pause, without: [7] } }],
    ['ended', { ...full, ended: '' }],
    ['ageMs', { ...full, ageMs: 'old' }],
  ])('names %s when it is wrong', (path, value) => {
    let error: unknown;
    try {
      parseTopology(wire(value));
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(TopologyError);
    expect(error).toMatchObject({ path });
  });

  it('answers a topology or a TopologyError, whatever is put anywhere into a good one', () => {
    const paths = pathsOf(full);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        try {
          const parsed = parseTopology(wire(replaced(full, path, value)));
          expect(parseTopology(wire(parsed))).toEqual(parsed);
        } catch (error) {
          expect(error).toBeInstanceOf(TopologyError);
        }
      }),
    );
  });
});
