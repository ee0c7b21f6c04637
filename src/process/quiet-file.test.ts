import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Prey } from '../fence/prey.ts';
import { readControl } from '../postgres/control-file.ts';
import { readPostmasterFile } from '../postgres/postmaster-file.ts';
import { createLogTail } from '../postgres/replication-log.ts';
import { openQuietly, readQuietly } from './quiet-file.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'us-quiet-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** As after a checkpoint: written since it was last read, so that `relatime` would take note of the next reading. */
function written(name: string, content: string): string {
  const path = join(directory, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  utimesSync(path, 1_000_000, 2_000_000);
  return path;
}

function isNoted(path: string): boolean {
  return statSync(path).atimeMs !== 1_000_000_000;
}

/** Tests may run on a file system that is mounted `noatime`. */
function notesAreTaken(): boolean {
  const plain = written('plain', 'text');
  readFileSync(plain);
  return isNoted(plain);
}

describe('reading quietly', () => {
  it('reads as readFileSync does', () => {
    expect(readQuietly(written('file', 'text')).toString()).toBe('text');
    expect(() => readQuietly(join(directory, 'none'))).toThrow('ENOENT');
    expect(() => openQuietly(join(directory, 'none'))).toThrow('ENOENT');
  });

  it.each([
    ['the control file', 'global/pg_control', (path: string) => void readControl(path)],
    ['postmaster.pid', 'postmaster.pid', (path: string) => void readPostmasterFile(path)],
    ['the log of the server', 'postgresql.log', (path: string) => void createLogTail(path).read(0)],
    ['postmaster.pid for the fence', 'postmaster.pid', () => void new Prey(directory).server()],
  ])('leaves no note at %s', (_, name, read) => {
    if (!notesAreTaken()) return;
    const path = written(name, `${process.pid}\n${directory}\n`);
    read(path);
    expect(isNoted(path)).toBe(false);
  });
});
