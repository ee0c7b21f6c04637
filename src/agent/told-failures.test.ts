import { expect, it } from 'vitest';
import { ToldFailures } from './told-failures.ts';

function told() {
  const at = { ms: 0 };
  const clock = { boottimeMs: () => at.ms, wallClock: () => new Date(0), sleep: async () => {} };
  return { at, failures: new ToldFailures(clock) };
}

it('tells of a failure once a minute, whatever numbers are in it', () => {
  const { at, failures } = told();
  expect(failures.isNews('start', 'pid 17 ended after 3 s')).toBe(true);
  at.ms = 59_999;
  expect(failures.isNews('start', 'pid 4711 ended after 12 s')).toBe(false);
  at.ms = 60_000;
  expect(failures.isNews('start', 'pid 4712 ended after 1 s')).toBe(true);
});

it('tells of another act, and of another reason', () => {
  const { failures } = told();
  expect(failures.isNews('start', 'no room')).toBe(true);
  expect(failures.isNews('stop', 'no room')).toBe(true);
  expect(failures.isNews('start', 'no rights')).toBe(true);
});

it('keeps no endless list: it tells again sooner instead', () => {
  const { failures } = told();
  const texts = Array.from({ length: 102 }, (_, i) => 'x'.repeat(i + 1));
  for (const text of texts) expect(failures.isNews('start', text)).toBe(true);
  expect(failures.isNews('start', 'x')).toBe(true);
});
