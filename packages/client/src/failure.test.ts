import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { OptionError } from './errors.ts';
import { CallersError, isWorthReadingElsewhere, judgeFailure, type Phase } from './failure.ts';

function said(code: string): pg.DatabaseError {
  const error = new pg.DatabaseError('said', 0, 'error');
  error.code = code;
  return error;
}
const phases: readonly Phase[] = ['connect', 'begin', 'body', 'commit'];
const outcomes = (error: unknown, isLost: boolean) => phases.map((phase) => judgeFailure(error, phase, isLost).outcome);
const kinds = (error: unknown, isLost: boolean) => phases.map((phase) => judgeFailure(error, phase, isLost).kind);

describe('what failed', () => {
  it('with its connection may be committed only from COMMIT on', () => {
    const wanted = ['not-sent', 'not-sent', 'rolled-back', 'unknown'];
    for (const error of [new Error('gone'), said('57P01'), said('57P02'), said('08006'), said('08P01')]) {
      expect(outcomes(error, true)).toEqual(wanted);
    }
    for (const code of ['57P01', '08P01']) expect(outcomes(said(code), false)).toEqual(wanted);
  });

  it("without a server's word at BEGIN or COMMIT is the connection, in between the caller's", () => {
    expect(kinds(new Error('x'), false)).toEqual(['unavailable', 'unavailable', 'statement', 'unavailable']);
    expect(outcomes(new Error('Query read timeout'), false)).toEqual([
      'not-sent',
      'not-sent',
      'rolled-back',
      'unknown',
    ]);
  });

  it('by a conflict is rolled back, also at COMMIT', () => {
    for (const code of ['40001', '40P01']) {
      expect(judgeFailure(said(code), 'commit', false)).toMatchObject({ kind: 'conflict', outcome: 'rolled-back' });
    }
  });

  it('by a refusal to write leaves its connection behind', () => {
    const refused = judgeFailure(said('25006'), 'body', false);
    expect(refused).toEqual({ kind: 'read-only', outcome: 'rolled-back', endsConnection: true });
  });

  it('by a cancelled COMMIT is unknown', () => {
    expect(judgeFailure(said('57014'), 'commit', false).outcome).toBe('unknown');
    expect(judgeFailure(said('57014'), 'body', false).outcome).toBe('rolled-back');
  });

  it("by the caller's statement is his", () => {
    for (const code of ['23505', '42P01', '22012']) {
      expect(judgeFailure(said(code), 'body', false)).toMatchObject({ kind: 'statement', outcome: 'rolled-back' });
      expect(judgeFailure(said(code), 'commit', false).outcome).toBe('rolled-back');
    }
    expect(judgeFailure(said('23505'), 'commit', true).outcome).toBe('unknown');
  });

  it('by what this library says itself, before there is a connection, is not tried again', () => {
    expect(judgeFailure(new OptionError('x', 'y'), 'connect', false)).toMatchObject({
      kind: 'statement',
      outcome: 'not-sent',
    });
  });
});

it('a read is done elsewhere when the server failed it, and not for a mistake', () => {
  for (const error of [new Error('gone'), said('57P01'), said('40001'), said('53300')]) {
    expect(isWorthReadingElsewhere(error)).toBe(true);
  }
  const mistakes = [said('42703'), said('25006'), new TypeError('x'), new CallersError(1), new OptionError('x', 'y')];
  for (const error of mistakes) expect(isWorthReadingElsewhere(error)).toBe(false);
});
