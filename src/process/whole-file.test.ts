import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeWhole } from './whole-file.ts';

it("puts a file of this user's in place, whatever was left there", () => {
  const directory = mkdtempSync(join(tmpdir(), 'understudy-whole-'));
  const file = join(directory, 'file');
  try {
    for (const name of [file, `${file}.new`]) writeFileSync(name, 'anything that is longer', { mode: 0o644 });
    writeWhole(file, 'this');
    expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['this', 0o600]);
    expect(readdirSync(directory)).toEqual(['file']);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
