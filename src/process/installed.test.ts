import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { findInstalled, isExecutable } from './installed.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-installed-'));
  writeFileSync(join(directory, 'understudy-run-me'), '', { mode: 0o700 });
  writeFileSync(join(directory, 'understudy-read-me'), '', { mode: 0o600 });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

it('is found on the PATH, when it may be executed', () => {
  vi.stubEnv('PATH', directory);
  expect(findInstalled('understudy-run-me')).toBe(join(directory, 'understudy-run-me'));
  expect(findInstalled('understudy-read-me')).toBeNull();
  expect(findInstalled('understudy-none')).toBeNull();
  expect(isExecutable(join(directory, 'understudy-read-me'))).toBe(false);
});

it('is found where packages put it, whatever the PATH', () => {
  vi.stubEnv('PATH', '');
  expect(findInstalled('env')).toMatch(/^\/usr\/(local\/)?bin\/env$/);
});

it('is not taken from where somebody happens to stand', () => {
  vi.stubEnv('PATH', `${relative(process.cwd(), directory)}:`);
  expect(findInstalled('understudy-run-me')).toBeNull();
});
