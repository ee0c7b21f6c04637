import { describe, expect, it } from 'vitest';
import { exitCodeFor } from './exit-codes.ts';
import { describeError, UnderstudyError } from './understudy-error.ts';

describe('exit codes', () => {
  it.each([
    ['POSTGRES_FAILED', 1],
    ['CONFIG_INVALID', 2],
    ['REFUSED', 3],
    ['CERTIFICATE_REFUSED', 3],
    ['AGENT_UNREACHABLE', 4],
    ['STORE_UNREACHABLE', 4],
  ] as const)('of %s is %d', (code, exit) => {
    expect(exitCodeFor(new UnderstudyError(code, 'x'))).toBe(exit);
  });

  it('of anything else is 1', () => {
    expect(exitCodeFor(new Error('x'))).toBe(1);
    expect(exitCodeFor('x')).toBe(1);
  });
});

describe('an error', () => {
  it('is told with its causes, each once', () => {
    const error = new UnderstudyError('CLONE_FAILED', 'pg1 was not cloned', {
      cause: new Error('pg_basebackup ended', { cause: new Error('pg_basebackup ended') }),
    });
    expect(describeError(error)).toBe('pg1 was not cloned: pg_basebackup ended');
    expect(error).toMatchObject({ retry: 'later', hint: expect.stringContaining('disk space') });
  });
});
