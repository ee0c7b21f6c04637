import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReadOnlyBegin, statementsOf } from './statements.ts';

const kinds = (sql: string): string[] => statementsOf(sql).map(({ kind }) => kind);

/** Pieces of statements that hide semicolons and words. */
const piece = fc.constantFrom(
  "'; COMMIT'",
  "'it''s;'",
  "E'\\'; COMMIT;'",
  '"a;""b"',
  '$$; COMMIT; $$',
  '$tag$ ; $$ ; $tag$',
  '/* ; /* COMMIT; */ ; */',
  '-- ; COMMIT\n',
  '$1',
  'type$a',
  'x',
  '1 - 2 / 3',
);

describe('statements', () => {
  it('are found past whatever quotes a semicolon', () => {
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 5 }), { minLength: 1, maxLength: 5 }), (all) => {
        const texts = all.map((pieces) => `SELECT ${pieces.join(' ')}`);
        const found = statementsOf(texts.join(' ; '));
        expect(found.map(({ text }) => text)).toEqual(texts.map((text) => text.trim()));
        expect(found.every(({ kind }) => kind === 'other')).toBe(true);
      }),
    );
  });

  it('end behind their semicolon', () => {
    const sql = 'BEGIN; SELECT 1';
    expect(sql.slice(statementsOf(sql)[0]?.end)).toBe(' SELECT 1');
    expect(statementsOf('BEGIN')[0]?.end).toBe(5);
  });

  it.each([
    ['', []],
    [' ; ;-- nothing\n', []],
    ['BEGIN', ['begin']],
    ['start\n transaction', ['begin']],
    ['/* by /* me */ */ -- and\n begin;', ['begin']],
    ['beginning', ['other']],
    ['start replica', ['other']],
    ["UPDATE a SET b = '; COMMIT'; commit ; SELECT 1", ['other', 'commit', 'other']],
    ['END', ['commit']],
    ['COMMIT AND CHAIN', ['commit']],
    ["COMMIT PREPARED 'x'", ['alone']],
    ['ROLLBACK; DISCARD ALL', ['alone', 'alone']],
    ["SELECT 'not closed; COMMIT", ['other']],
    ['SELECT $$not closed; COMMIT', ['other']],
    ['SELECT /* not closed; COMMIT', ['other']],
  ])('%s', (sql, expected) => {
    expect(kinds(sql)).toEqual(expected);
  });

  it('of whatever text are found without an error, in order and whole', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...`'"$;-/*\\aeE1_ \n`) }), (sql) => {
        const ends = statementsOf(sql).map(({ end }) => end);
        expect(ends).toEqual([...ends].sort((a, b) => a - b));
        expect(ends.every((end) => end > 0 && end <= sql.length)).toBe(true);
      }),
    );
  });

  it('say whether a transaction only reads', () => {
    const [reads, writes] = statementsOf('BEGIN ISOLATION LEVEL SERIALIZABLE, READ  ONLY; BEGIN READ WRITE');
    expect([reads, writes].map((each) => each !== undefined && isReadOnlyBegin(each))).toEqual([true, false]);
  });
});
