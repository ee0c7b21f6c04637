import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineReader } from './line-reader.ts';

describe('lines', () => {
  it('are the same however they are cut', () => {
    const pieces = fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', '')));
    fc.assert(
      fc.property(pieces, fc.array(fc.nat({ max: 20 })), (lines, cuts) => {
        const heard: string[] = [];
        const reader = new LineReader(1_000_000, (line) => heard.push(line));
        let rest = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        for (const cut of cuts) {
          reader.push(rest.subarray(0, cut));
          rest = rest.subarray(cut);
        }
        reader.push(rest);
        expect(heard).toEqual(lines.filter((line) => line !== ''));
      }),
    );
  });

  it('are bounded', () => {
    const heard: string[] = [];
    const reader = new LineReader(4, (line) => heard.push(line));
    reader.push(Buffer.from('abcd\nab'));
    reader.push(Buffer.from('cd'));
    expect(() => reader.push(Buffer.from('e'))).toThrow(RangeError);
    expect(heard).toEqual(['abcd']);
  });
});
