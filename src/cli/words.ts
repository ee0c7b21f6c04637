/** How figures and lines read for people. */
import { stripVTControlCharacters } from 'node:util';

export { ageText, bytesText, countText, spanText } from '../core/amounts.ts';

/** A trouble in one line: its first, and the one in which a server says what was fatal. */
export function oneLine(text: string): string {
  const [first = '', ...more] = text.split('\n');
  const fatal = more.find((line) => /\b(?:FATAL|PANIC):/.test(line));
  return fatal === undefined ? first : `${first} … ${fatal.trim()}`;
}

export function shownWidth(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Columns two blanks apart; trailing blanks are cut. Cells may be coloured. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, shownWidth(cell));
    });
  }
  return rows.map((row) =>
    row
      .map((cell, index) => cell + ' '.repeat(Math.max(0, (widths[index] ?? 0) - shownWidth(cell))))
      .join('  ')
      .trimEnd(),
  );
}
