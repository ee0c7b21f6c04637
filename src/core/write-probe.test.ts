import { describe, expect, it } from 'vitest';
import {
  countProbe,
  type FailingProbes,
  isUseless,
  probeTrouble,
  type SeenProbe,
  type WriteProbe,
} from './write-probe.ts';

const silent: WriteProbe = { came: 'silent', text: 'no answer' };
const refused: WriteProbe = { came: 'refused', text: 'i/o error' };
const written: WriteProbe = { came: 'written', tookMs: 3 };
const advancing: WriteProbe = { came: 'advancing', text: 'slow' };
const barred: WriteProbe = { came: 'barred', text: 'all connections are taken' };
const moot: WriteProbe = { came: 'moot', text: 'shutting down' };

interface Sent {
  readonly at: number;
  readonly pid?: number;
  readonly probe: WriteProbe;
}

function seen({ at, pid = 50, probe }: Sent): SeenProbe {
  return { pid, begunAtMs: at, endedAtMs: at + 2_000, probe };
}

/** Each probe is looked at twice: the loop looks more often than probes end. */
function fold(...sent: readonly Sent[]): FailingProbes | null {
  return sent.reduce<FailingProbes | null>((before, one) => countProbe(countProbe(before, seen(one)), seen(one)), null);
}

const hung = [0, 3_000, 6_000, 9_000, 13_000].map((at) => ({ at, probe: silent }));

describe('a primary is of no use', () => {
  const cases: readonly [string, readonly Sent[], boolean][] = [
    ['without any probe', [], false],
    ['after one probe in silence, however long ago', [{ at: 0, probe: silent }], false],
    ['after probes that all fail, for long enough', hung, true],
    [
      'after many that fail in a short time',
      [0, 1_000, 2_000, 3_000, 4_000].map((at) => ({ at, probe: silent })),
      false,
    ],
    [
      'after two, however far apart',
      [
        { at: 0, probe: silent },
        { at: 60_000, probe: silent },
      ],
      false,
    ],
    ['after errors as after silence', hung.map(({ at }) => ({ at, probe: refused })), true],
    ['no more once a write came through', [...hung, { at: 20_000, probe: written }], false],
    ['not when WAL is flushed meanwhile', [...hung.slice(0, 4), { at: 13_000, probe: advancing }], false],
    ['not because all connections are taken', hung.map(({ at }) => ({ at, probe: barred })), false],
    ['not when it starts, stops or is a standby', hung.map(({ at }) => ({ at, probe: moot })), false],
    ['also when its own hanging probes took the last connections', [...hung, { at: 20_000, probe: barred }], true],
  ];
  it.each(cases)('%s', (_, sent, expected) => {
    expect(isUseless(fold(...sent), 50)).toBe(expected);
  });

  it('only as the server that was probed: another one begins anew', () => {
    expect(isUseless(fold(...hung), 51)).toBe(false);
    expect(fold(...hung, { at: 20_000, pid: 51, probe: silent })).toMatchObject({ pid: 51, times: 1, sinceMs: 20_000 });
    expect(fold(...hung, { at: 20_000, pid: 51, probe: written })).toBeNull();
  });

  it('by each probe counted once, and by no probe of the past', () => {
    expect(fold(...hung)?.times).toBe(hung.length);
    expect(countProbe(fold(...hung), null)).toEqual(fold(...hung));
  });
});

describe('trouble', () => {
  it('is what the last probe of this very server came to', () => {
    expect(probeTrouble(seen({ at: 0, probe: barred }), 50)).toBe('all connections are taken');
    expect(probeTrouble(seen({ at: 0, probe: barred }), 51)).toBeNull();
    expect(probeTrouble(seen({ at: 0, probe: written }), 50)).toBeNull();
    expect(probeTrouble(seen({ at: 0, probe: moot }), 50)).toBeNull();
    expect(probeTrouble(null, 50)).toBeNull();
  });
});
