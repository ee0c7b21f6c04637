import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratch, takeLock } from './scratch.ts';

describe('the scratch directory', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'us-scratch-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is locked by one who lives, and free again afterwards', () => {
    const release = takeLock(directory);
    expect(release).not.toBeNull();
    expect(takeLock(directory)).toBeNull();
    release?.();
    takeLock(directory)?.();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('is free where the holder has ended, or was never whole', () => {
    for (const left of [JSON.stringify({ pid: process.pid, startTicks: 1 }), '']) {
      writeFileSync(join(directory, 'lock'), left);
      const release = takeLock(directory);
      expect(release).not.toBeNull();
      expect(takeLock(directory)).toBeNull();
      release?.();
    }
    expect(readdirSync(directory)).toEqual([]);
  });

  it('knows what is on record, and refuses what it does not understand', () => {
    const scratch = openScratch(join(directory, 'past'));
    expect(scratch.readBase()).toBeNull();
    const base = { version: 1, label: 'B', atMs: 5, isReplayed: true, isWhole: false, usedAtMs: 7 } as const;
    scratch.writeBase(base);
    expect(scratch.readBase()).toEqual(base);
    scratch.forget('base');
    expect([scratch.readBase(), existsSync(join(directory, 'past'))]).toEqual([null, true]);
    writeFileSync(join(directory, 'past', 'p2.json'), '{"version":2}');
    expect(() => scratch.instances()).toThrow('of another version');
  });
});
