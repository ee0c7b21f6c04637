import { describe, expect, it } from 'vitest';
import { type PastFacts, usualLimits, whyNoInstance } from './past-limits.ts';

const mib = 1_048_576;
const roomy: PastFacts = {
  ...{ instances: 2, usedBytes: 100 * mib, neededBytes: 50 * mib },
  ...{ freeBytes: 200 * mib, totalBytes: 1_000 * mib },
};

describe('room for another instance', () => {
  it('is there below every limit, and up to it', () => {
    expect(whyNoInstance(roomy, usualLimits)).toBeNull();
    expect(whyNoInstance({ ...roomy, freeBytes: 100 * mib }, { maxInstances: 3, maxBytes: 150 * mib })).toBeNull();
  });

  it.each<[string, Partial<PastFacts>, number | null]>([
    ['3 instances are open', { instances: 3 }, null],
    ['may have 149 MB', {}, 149 * mib],
    ['of 99 MB that are free 50 MB are kept so', { freeBytes: 99 * mib }, null],
  ])('is not there: %s', (text, facts, maxBytes) => {
    expect(whyNoInstance({ ...roomy, ...facts }, { maxInstances: 3, maxBytes })).toContain(text);
  });

  it('is kept free within reason on a large disk', () => {
    const large = { ...roomy, totalBytes: 10_000_000 * mib };
    expect(whyNoInstance({ ...large, freeBytes: 10_290 * mib }, usualLimits)).toBeNull();
    expect(whyNoInstance({ ...large, freeBytes: 10_289 * mib }, usualLimits)).toContain('10240 MB are kept so');
  });
});
