import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareBytes } from './row-queries.ts';

describe('the order of keys', () => {
  it("is that of UTF-8's bytes, also beyond the first plane", () => {
    const texts = fc.string({
      unit: fc.constantFrom('a', 'b', 'é', '\ud7ff', '\ue000', '\uffff', '😀', '𐀀'),
      maxLength: 6,
    });
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
    // Where the strings' own order is another one.
    expect('\uffff' > '😀').toBe(true);
    expect(compareBytes('\uffff', '😀')).toBeLessThan(0);
  });
});
