import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RevokedEntry } from '../core/revocation.ts';
import { RevokedCertificates } from './revoked-certificates.ts';

const nowMs = Date.parse('2026-11-21T00:00:00.000Z');
const entry = (serial: string, change: Partial<RevokedEntry> = {}): RevokedEntry => ({
  ...{ serial, kind: 'node', at: '2026-11-20T00:00:00.000Z', expiresAt: '2026-11-27T00:00:00.000Z' },
  ...change,
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-revoked-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (atMs = nowMs) => new RevokedCertificates(directory, () => atMs);

describe('what is known of revoked certificates', () => {
  it('only grows, whoever says less later, and is told to who listens when it does', () => {
    const revoked = open();
    let heard = 0;
    const stop = revoked.onChange(() => {
      heard += 1;
    });
    revoked.learn([entry('A')]);
    revoked.learn([]);
    revoked.learn([entry('A'), entry('B')]);
    revoked.learn([entry('B')]);
    stop();
    revoked.learn([entry('C')]);
    expect([heard, [...revoked.since.keys()], revoked.has('A'), revoked.has('D')]).toEqual([
      2,
      ['A', 'B', 'C'],
      true,
      false,
    ]);
    expect(revoked.since.get('A')).toBe(Date.parse('2026-11-20T00:00:00.000Z'));
  });

  it('is known to the next agent, and forgotten when the certificate could do nothing any more', () => {
    open().learn([entry('A'), entry('F', { kind: 'sealer' })]);
    expect(open().has('A')).toBe(true);
    const later = open(nowMs + 60 * 86_400_000);
    later.learn([entry('A'), entry('B', { expiresAt: '2027-02-01T00:00:00.000Z' })]);
    expect(['A', 'B', 'F'].map((serial) => later.has(serial))).toEqual([false, true, true]);
  });

  it('is told anew where the file is damaged, and written once the disk takes it', () => {
    const file = join(directory, 'revoked.json');
    writeFileSync(file, '[{"serial":');
    const revoked = open();
    expect(revoked.has('A')).toBe(false);
    rmSync(directory, { recursive: true });
    revoked.learn([entry('A')]);
    expect(revoked.has('A')).toBe(true);
    mkdirSync(directory);
    revoked.learn([entry('A')]);
    expect(open().has('A')).toBe(true);
  });
});
