import { describe, expect, it } from 'vitest';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { checkRegistered } from './registered.ts';

const dayMs = 24 * 60 * 60_000;
const one = exampleRecords.registered;
const endsAtMs = Date.parse(one.expiresAt);

describe('registered certificates', () => {
  it('are well, warned of, and failing when they are over', () => {
    const verdicts = (daysLeft: number) => checkRegistered([one], endsAtMs - daysLeft * dayMs).map((it) => it.verdict);
    expect([verdicts(60), verdicts(10), verdicts(-1)]).toEqual([['ok'], ['warning'], ['failure']]);
    expect(checkRegistered([], endsAtMs)).toEqual([]);
  });
});
