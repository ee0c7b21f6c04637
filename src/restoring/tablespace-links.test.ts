import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { moveTablespaceLinks } from './tablespace-links.ts';

describe('tablespaces of a copy', () => {
  let root: string;
  const at = (...parts: string[]): string => join(root, ...parts);
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'us-links-'));
    for (const place of ['base', 'copy']) {
      mkdirSync(at(place, 'data', 'pg_tblspc'), { recursive: true });
      mkdirSync(at(place, 'data.tablespaces', '16400'), { recursive: true });
    }
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('lie in the copy afterwards, also by the map that a recovery goes by', () => {
    symlinkSync(at('base', 'data.tablespaces', '16400'), at('copy', 'data', 'pg_tblspc', '16400'));
    writeFileSync(at('copy', 'data', 'tablespace_map'), `16400 ${at('base', 'data.tablespaces', '16400')}\n`);
    for (const _ of ['once', 'and again']) moveTablespaceLinks(at('copy', 'data'), at('base'), at('copy'));
    const moved = at('copy', 'data.tablespaces', '16400');
    expect(readlinkSync(at('copy', 'data', 'pg_tblspc', '16400'))).toBe(moved);
    expect(readFileSync(at('copy', 'data', 'tablespace_map'), 'utf8')).toBe(`16400 ${moved}\n`);
  });

  it('are refused where they lie elsewhere', () => {
    mkdirSync(at('live', '16400'), { recursive: true });
    symlinkSync(at('live', '16400'), at('copy', 'data', 'pg_tblspc', '16400'));
    expect(() => moveTablespaceLinks(at('copy', 'data'), at('base'), at('copy'))).toThrow('outside of what was copied');
    expect(readlinkSync(at('copy', 'data', 'pg_tblspc', '16400'))).toBe(at('live', '16400'));
  });
});
