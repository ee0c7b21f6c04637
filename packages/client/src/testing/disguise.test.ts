import { describe, expect, it } from 'vitest';
import { selfQuery } from '../positions/position.ts';
import { disguised, type Face } from './disguise.ts';

const primary: Face = { isStandby: false, standsAt: null, failovers: 0 };

describe('a disguise', () => {
  it('is none for the first primary, and nothing for texts about other things', () => {
    expect(disguised(`COMMIT; ${selfQuery}`, primary)).toBe(`COMMIT; ${selfQuery}`);
    expect(disguised('SELECT 1', { isStandby: true, standsAt: '0/1', failovers: 3 })).toBe('SELECT 1');
  });

  it('leaves what surrounds the question of the library', () => {
    const said = disguised(`COMMIT; ${selfQuery}; SELECT 1`, { ...primary, isStandby: true, standsAt: '0/A1' });
    expect(said).toMatch(
      /^COMMIT; SELECT true AS standby, \('0\/A1'::pg_lsn\)::text AS lsn, .* AS timeline; SELECT 1$/,
    );
  });

  it('tells the present of a standby that has everything', () => {
    const said = disguised(selfQuery, { ...primary, isStandby: true });
    expect(said).toContain('true AS standby, (pg_current_wal_insert_lsn())::text AS lsn');
  });

  it('counts failovers as timelines', () => {
    expect(disguised(selfQuery, { ...primary, failovers: 2 })).toMatch(
      /^SELECT false AS standby, .* \+ 2 AS timeline$/,
    );
  });

  it('keeps the names of columns', () => {
    const standby = { ...primary, isStandby: true, standsAt: '0/A1' };
    expect(disguised('SELECT pg_is_in_recovery()', standby)).toBe('SELECT (SELECT true AS pg_is_in_recovery)');
    expect(disguised('SELECT pg_last_wal_replay_lsn()', standby)).toBe(
      "SELECT (SELECT '0/A1'::pg_lsn AS pg_last_wal_replay_lsn)",
    );
  });
});
