import { expect, it } from 'vitest';
import { momentsOf } from './local-time.ts';

const at = (day: number, month: number, hour: number) => ({ year: 2026, month, day, hour, minute: 30, second: 0 });

it('finds each moment at which clocks show a time', () => {
  const zone = process.env.TZ;
  process.env.TZ = 'Europe/Berlin';
  try {
    expect(momentsOf(at(19, 11, 14))).toEqual([Date.parse('2026-11-19T13:30:00Z')]);
    expect(momentsOf(at(29, 3, 2))).toEqual([]);
    expect(momentsOf(at(25, 10, 2))).toEqual(['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z'].map(Date.parse));
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});
