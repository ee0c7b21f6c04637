import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import { run } from './run.ts';

async function failureOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('it should have failed');
}

describe('run', () => {
  it('passes the arguments as they are and collects both outputs', async () => {
    const result = await run('printf', ['%s|', 'a b', '$HOME', ';id'], { withinMs: 5_000 });
    expect(result).toMatchObject({ code: 0, signal: null, stdout: 'a b|$HOME|;id|', stderr: '', truncated: false });
  });

  it('hands over input', async () => {
    expect((await run('cat', [], { withinMs: 5_000, input: 'understudy' })).stdout).toBe('understudy');
  });

  it('keeps the end of a long output', async () => {
    const result = await run('seq', ['1', '100000'], { withinMs: 10_000, maxOutputBytes: 13 });
    expect(result).toMatchObject({ stdout: '99999\n100000\n', truncated: true });
  });

  it('names a missing program, and a missing directory', async () => {
    expect((await failureOf(run('/no/such/program', [], { withinMs: 1_000 }))).message).toBe(
      'no program /no/such/program',
    );
    expect((await failureOf(run('true', [], { withinMs: 1_000, cwd: '/no/such' }))).message).toContain(
      'no directory /no/such',
    );
  });

  it('shows the last words of a failed program, or answers with its code when asked', async () => {
    const error = await failureOf(run('sh', ['-c', 'echo why >&2; exit 3'], { withinMs: 5_000 }));
    expect(isUnderstudyError(error, 'PROCESS_FAILED')).toBe(true);
    expect(error.message).toBe('sh ended with exit code 3: why');
    expect((await run('sh', ['-c', 'exit 3'], { withinMs: 5_000, anyExit: true })).code).toBe(3);
  });

  it('ends the program and its children when the time is over', async () => {
    let child = '';
    const started = run('sh', ['-c', 'sleep 60 & echo $!; wait'], {
      withinMs: 300,
      onStdout: (chunk) => {
        child += chunk;
      },
    });
    expect(isUnderstudyError(await failureOf(started), 'TIMEOUT')).toBe(true);
    expect(() => readFileSync(`/proc/${child.trim()}/cwd`)).toThrow();
  });

  it('ends the program when it is cancelled, also one that ignores SIGTERM', async () => {
    const controller = new AbortController();
    const started = run('sh', ['-c', 'trap "" TERM; echo up; while :; do sleep 1; done'], {
      withinMs: 60_000,
      signal: controller.signal,
      onStdout: () => controller.abort(),
    });
    expect((await failureOf(started)).message).toContain('cancelled');
    await expect(run('true', [], { withinMs: 1_000, signal: controller.signal })).rejects.toThrow('cancelled');
  });
});
