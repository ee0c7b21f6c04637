import { describe, expect, it } from 'vitest';
import { ageText, bytesText, columns, oneLine, spanText } from './words.ts';

describe('figures', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [2764, '2.7 kB'],
    [16 * 1024 ** 2, '16 MB'],
    [3 * 1024 ** 4, '3.0 TB'],
  ])('%d bytes read %s', (bytes, text) => expect(bytesText(bytes)).toBe(text));

  it.each([
    [0.04, '0 ms'],
    [1.26, '1.3 ms'],
    [121.3, '121 ms'],
    [2_100, '2.1 s'],
    [180_000, '3 min'],
  ])('%d ms read %s', (ms, text) => expect(spanText(ms)).toBe(text));

  it.each([
    [-5, '0 s'],
    [41_000, '41 s'],
    [3_600_000, '60 min'],
    [259_200_000, '3 d'],
  ])('%d ms ago read %s', (ms, text) => expect(ageText(ms)).toBe(text));
});

describe('lines', () => {
  it('stand in columns whatever their colours, without blanks at the end', () => {
    expect(
      columns([
        ['pg0', '\u001b[1mprimary\u001b[22m', ''],
        ['pg10', 'standby', 'x'],
      ]),
    ).toEqual(['pg0   \u001b[1mprimary\u001b[22m', 'pg10  standby  x']);
  });

  it('keep of a long trouble its beginning and what was fatal', () => {
    expect(oneLine('it ended')).toBe('it ended');
    expect(oneLine('it ended: LOG: starting\n2026 LOG: more\n2026 FATAL:  too few connections\nLOG: bye')).toBe(
      'it ended: LOG: starting … 2026 FATAL:  too few connections',
    );
  });
});
