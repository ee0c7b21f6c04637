import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, errorCatalogue } from './catalogue.ts';
import { exitCodeOf } from './exit-codes.ts';

interface Row {
  readonly code: string;
  readonly exit: number;
  readonly retry: string;
  readonly hint: string;
  readonly when: string;
}

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
const rows: readonly Row[] = [...page.matchAll(/^\| `([A-Z_]+)` \| (\d) \| (\w+) \| (.+?) \| (.+?) \|$/gm)].map(
  ([, code = '', exit = '', retry = '', hint = '', when = '']) => ({
    code,
    exit: Number(exit),
    retry,
    hint: hint.replaceAll('\\<', '<'),
    when,
  }),
);
const isCode = (code: string): code is ErrorCode => Object.hasOwn(errorCatalogue, code);
const codes = Object.keys(errorCatalogue).filter(isCode);

describe('docs/errors.md', () => {
  it('names the codes of the catalogue, and no others, each once and in the same order', () => {
    expect(rows.map(({ code }) => code)).toEqual(codes);
  });

  it.each(codes)('says of %s what the program says', (code) => {
    const { hint, retry } = errorCatalogue[code];
    expect(rows.find((row) => row.code === code)).toMatchObject({ hint, retry, exit: exitCodeOf(code) });
  });
});
