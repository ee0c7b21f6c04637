import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keptFreeBytes } from '../core/backups/room.ts';
import { type DestinationFacts, examineDestination } from './destination.ts';
import { diskOf } from './disk.ts';
import { writeMark } from './mark.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-test-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const at = (name: string): string => join(directory, name);

async function examine(name: string, change: Partial<DestinationFacts> = {}) {
  const facts = { delta: false, neededBytes: 1, parentsByRoot: false, live: [], instanceOf: () => at('i') };
  return await examineDestination({ ...facts, into: at(name), ...change });
}

describe('the directory of a restore', () => {
  it('is looked for on the way that is there, and nothing of it is made', async () => {
    const { into, freeBytes, obstacles } = await examine('a/b/data');
    expect([into, obstacles]).toEqual([at('a/b/data'), []]);
    expect(freeBytes ?? 0).toBeGreaterThan(0);
    expect(existsSync(at('a'))).toBe(false);
  });

  it('is none where the way is a file', async () => {
    writeFileSync(at('file'), '');
    expect((await examine('file/data')).obstacles.join()).toMatch(/file may not be written to/);
  });

  it('is refused where it would take what is kept free', async () => {
    const disk = await diskOf(directory);
    const neededBytes = disk.freeBytes - keptFreeBytes(disk) / 2;
    expect((await examine('data', { neededBytes })).obstacles.join()).toMatch(/no room .* are kept so/);
  });

  it('has in what is written over room for itself, and in nothing else', async () => {
    const present = 64 * 1024 ** 2;
    mkdirSync(at('data'));
    writeFileSync(at('data/base'), Buffer.alloc(present, 1));
    writeMark(at('data'), { set: 'B', target: 'latest', state: 'restoring', owner: null, kept: null });
    // Others write to this disk as well: at some moment they don't.
    await vi.waitFor(async () => {
      const disk = await diskOf(directory);
      const neededBytes = disk.freeBytes - keptFreeBytes(disk) + present / 2;
      expect(await examine('data', { neededBytes })).toMatchObject({ found: 'half-restored', obstacles: [] });
      expect((await examine('other', { neededBytes })).obstacles).toHaveLength(1);
    }, 20_000);
  });
});
