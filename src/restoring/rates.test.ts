import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  expectedCopyMs,
  expectedMs,
  readPastCopies,
  readPastRestores,
  rememberCopy,
  rememberRestore,
} from './rates.ts';

it('tells a duration from those of the past, by what was copied and what was replayed', () => {
  const past = { at: '2026-11-19T14:00:00Z', bytes: 1_000, copyMs: 100, walBytes: 500, replayMs: 1_000 };
  expect(expectedMs([], { bytes: 1, walBytes: null })).toBeNull();
  expect(expectedMs([past], { bytes: 2_000, walBytes: null })).toBe(200);
  expect(expectedMs([past], { bytes: 2_000, walBytes: 50 })).toBe(300);
  expect(expectedMs([past, { ...past, walBytes: null, replayMs: null }], { bytes: 1_000, walBytes: 50 })).toBe(200);
});

it('keeps the last twenty, and a broken file counts as none', () => {
  const directory = mkdtempSync(join(tmpdir(), 'understudy-rates-'));
  try {
    for (let bytes = 1; bytes <= 23; bytes += 1) {
      rememberRestore(directory, { at: 'then', bytes, copyMs: 1, walBytes: null, replayMs: null });
    }
    expect(readPastRestores(directory).map(({ bytes }) => bytes)).toEqual(Array.from({ length: 20 }, (_, i) => i + 4));
    writeFileSync(join(directory, 'restores.json'), '{');
    expect(readPastRestores(directory)).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it('tells how long a copy of the primary takes by those of the past', () => {
  const directory = mkdtempSync(join(tmpdir(), 'understudy-rates-'));
  try {
    expect(expectedCopyMs(readPastCopies(directory), 1_000)).toBeNull();
    rememberCopy(directory, { at: 'then', bytes: 1_000, ms: 100 });
    rememberCopy(directory, { at: 'then', bytes: 3_000, ms: 100 });
    expect(expectedCopyMs(readPastCopies(directory), 2_000)).toBe(100);
    expect(readPastRestores(directory)).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
