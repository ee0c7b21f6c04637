import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

let path: string;

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'us-private-')), 'file');
});

afterEach(() => rmSync(join(path, '..'), { recursive: true, force: true }));

it('tells whether the content was another one', () => {
  expect(writePrivateFile(path, 'one')).toBe(true);
  expect(writePrivateFile(path, 'one')).toBe(false);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('overwrites in its place what it can not replace, if there is room', () => {
  writePrivateFile(path, 'a long first content');
  mkdirSync(`${path}.new`); // no new file can be made
  expect(writePrivateFile(path, 'the second')).toBe(true);
  expect(readPrivateFile(path)).toBe('the second');
  expect(() => writePrivateFile(path, 'x'.repeat(1024 * 1024))).toThrow();
  expect(readPrivateFile(path)).toBe('the second');
});
