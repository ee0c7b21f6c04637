import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type InstanceRecord, openScratch, sourceOf, takeLock } from './scratch.ts';

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

  it('has a lock for each instance beside its own', () => {
    const releases = [takeLock(directory), takeLock(directory, 'p1'), takeLock(directory, 'p2')];
    expect(releases).not.toContain(null);
    expect(takeLock(directory, 'p1')).toBeNull();
    for (const release of releases) release?.();
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
    const record: InstanceRecord = {
      ...{ version: 1, id: 'p1', node: 'db1', state: 'open', owner: { pid: 1, startTicks: 1 }, label: 'B' },
      ...{ target: { type: 'lsn', value: '0/1' }, method: 'restore', because: '', port: 15_433, tookMs: 1 },
      ...{ openedAtMs: 5, expiresAtMs: 6, reached: null },
    };
    scratch.writeInstance({ ...record, expiresAtMs: 7 });
    expect(scratch.again(record)).toMatchObject({ expiresAtMs: 7 });
    expect(sourceOf(record)).toBe('repository');
    const copied: InstanceRecord = { ...record, id: 'p2', label: null, method: 'delayed-standby' };
    scratch.writeInstance(copied);
    expect(scratch.instances().map(sourceOf)).toEqual(['repository', 'standby']);
    scratch.forget('p2');
    // Another one under its name.
    expect(scratch.again({ ...record, openedAtMs: 4 })).toBeNull();
    scratch.forget('p1');
    expect(scratch.again(record)).toBeNull();
    expect([scratch.readBase(), existsSync(join(directory, 'past'))]).toEqual([null, true]);
    writeFileSync(join(directory, 'past', 'p2.json'), '{"version":2}');
    expect(() => scratch.instances()).toThrow('of another version');
  });
});
