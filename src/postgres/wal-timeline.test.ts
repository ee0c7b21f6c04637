import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { walFileName } from '../core/last-words.ts';
import { lsnFromOffset } from '../core/lsn.ts';
import { timelineAt } from './wal-timeline.ts';

const segmentBytes = 4 * 1024 * 1024;
const start = 3 * segmentBytes;
const end = lsnFromOffset(BigInt(start + 200));
let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'us-wal-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** `address`: what its first page says of its place. */
function segment(timeline: number, at: number, address = at): void {
  const page = Buffer.alloc(8_192);
  page.writeUInt32LE(timeline, 4);
  page.writeBigUInt64LE(BigInt(address), 8);
  writeFileSync(join(directory, walFileName(timeline, BigInt(at), segmentBytes)), page);
}

function history(timeline: number, ...forks: readonly [parent: number, at: number][]): void {
  const lines = forks.map(([parent, at]) => `${parent}\t0/${at.toString(16).toUpperCase()}\tno recovery target\n`);
  writeFileSync(join(directory, `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`), lines.join('\n'));
}

const at = (known: number, place = end) => timelineAt(directory, { known, segmentBytes, end: place });

describe('the timeline of WAL on disk', () => {
  it('is the newest that forks before its end and has its segment', () => {
    segment(1, start);
    expect(at(1)).toBe(1);
    segment(2, start);
    history(2, [1, start + 100]);
    expect(at(1)).toBe(2);
    expect(at(2)).toBe(2);
    segment(3, start);
    history(3, [1, start + 100], [2, start + 150]);
    expect(at(1)).toBe(3);
  });

  it('is the parent up to the fork', () => {
    segment(1, start);
    segment(2, start);
    history(2, [1, start + 200]);
    expect(at(1)).toBe(1);
  });

  it('is no timeline of which only the history has come, a file made for later use, or another branch', () => {
    segment(1, start);
    history(2, [1, start + 100]);
    expect(at(1)).toBe(1);
    segment(2, start, 0);
    expect(at(1)).toBe(1);
    segment(2, start, start - segmentBytes);
    expect(at(1)).toBe(1);
    segment(3, start);
    history(3, [1, start + 50]);
    segment(2, start);
    expect(at(2)).toBe(2);
  });

  it('is not known without the segment or the history that would tell', () => {
    expect(at(1)).toBeNull();
    segment(2, start);
    expect(at(2)).toBeNull();
    expect(at(1)).toBeNull();
  });

  it('at the end of a segment is that of the segment, not of the next', () => {
    segment(1, start);
    expect(at(1, lsnFromOffset(BigInt(start + segmentBytes)))).toBe(1);
    expect(at(1, lsnFromOffset(BigInt(start)))).toBeNull();
  });
});
