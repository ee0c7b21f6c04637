import { expect, it } from 'vitest';
import { longestWorkMs, readWithinMs, shareWithinMs } from './bounds.ts';

const gib = 1024 ** 3;
const hourMs = 3_600_000;

it.each([
  ['reading nothing', readWithinMs(0), hourMs],
  ['reading 500 GiB', readWithinMs(500 * gib), hourMs + 512_000_000],
  ['reading more than anybody has', readWithinMs(1024 * 1024 * gib), longestWorkMs],
  ['sharing nothing', shareWithinMs(0), 600_000],
  ['sharing 500 GiB', shareWithinMs(500 * gib), 600_000 + 8_000_000],
  ['sharing more than anybody has', shareWithinMs(1024 * 1024 * gib), longestWorkMs],
])('bounds %s', (_, bound, expected) => {
  expect(bound).toBe(expected);
});
