import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { showBefore } from './backup-secret.ts';
import { createTerminal } from './terminal.ts';

function seat(cwd: string, json: boolean) {
  const written = { out: '', err: '' };
  const write = (which: 'out' | 'err') => ({
    write: (text: string) => {
      written[which] += text;
    },
  });
  const io = { stdout: write('out'), stderr: write('err'), env: {}, cwd };
  return { io, terminal: createTerminal(io, json), written };
}

it('shows a passphrase that was made before anything is ordered', () => {
  const { written, ...call } = seat('/nonexistent', false);
  showBefore(call, 'a-b-c').isSafe();
  expect(written.out).toContain('a-b-c');
});

it('keeps it in a file of this user alone until the one answer is given, and tells of it without saying it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'understudy-secret-'));
  try {
    const { written, ...call } = seat(directory, true);
    const shown = showBefore(call, 'a-b-c');
    const [name = ''] = readdirSync(directory);
    expect(readFileSync(join(directory, name), 'utf8')).toBe('a-b-c\n');
    expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    expect(written.err).toContain(name);
    expect(written.out + written.err).not.toContain('a-b-c');
    shown.isSafe();
    expect(readdirSync(directory)).toEqual([]);
    const nowhere = seat(join(directory, 'gone'), true);
    expect(() => showBefore(nowhere, 'a-b-c')).toThrow('nothing is ordered');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
