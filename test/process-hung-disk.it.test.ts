/** A program that waits for a disk that hangs can't be ended, not even by SIGKILL. Who waits for it must not hang, too. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isUnderstudyError } from '../src/errors/understudy-error.ts';
import { readProcess } from '../src/process/identity.ts';
import { run } from '../src/process/run.ts';
import { type LoopDisk, mountLoopDisk } from './fixtures/postgres-loop-disk.ts';

let disk: LoopDisk | null = null;

beforeAll(async () => {
  disk = await mountLoopDisk(8);
});

afterAll(async () => {
  await disk?.thaw().catch(() => undefined);
  await disk?.unmount();
});

describe('a program on a disk that hangs', () => {
  it('is given up soon after SIGKILL, and ends once the disk answers', async ({ skip }) => {
    if (disk === null) return skip('only root can freeze a file system');
    let pid = 0;
    await disk.freeze();
    const error: unknown = await run('sh', ['-c', 'echo $$; : > "$1"', 'sh', join(disk.directory, 'file')], {
      withinMs: 200,
      onStdout: (text) => {
        pid = Number(text);
      },
    }).catch((reason: unknown) => reason);
    expect(isUnderstudyError(error, 'TIMEOUT')).toBe(true);
    expect(readProcess(pid)?.state).toBe('D');
    await disk.thaw();
    await expect.poll(() => readProcess(pid), { timeout: 20_000 }).toBeNull();
  });
});
