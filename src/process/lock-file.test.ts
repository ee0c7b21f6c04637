import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { identify } from './identity.ts';
import { lockHolder, takeLockFile } from './lock-file.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-lock-'));
  file = join(directory, 'lock');
});
afterEach(() => rmSync(directory, { recursive: true }));

it('is held once, until it is let go', () => {
  const letGo = takeLockFile(file);
  expect(lockHolder(file)).toEqual(identify(process.pid));
  expect(takeLockFile(file)).toBeNull();
  letGo?.();
  expect([lockHolder(file), readdirSync(directory)]).toEqual([null, []]);
});

it.each([
  ['whose number is another process now', JSON.stringify({ ...identify(process.pid), startTicks: 1 })],
  ['that did not come to its end', '{"pid":'],
])('takes over from a holder %s', (_, left) => {
  writeFileSync(file, left);
  expect(takeLockFile(file)).not.toBeNull();
  expect(lockHolder(file)).toEqual(identify(process.pid));
  expect(readdirSync(directory)).toEqual(['lock']);
});

it("leaves somebody else's in its place when it lets go", () => {
  const letGo = takeLockFile(file);
  const others = JSON.stringify(identify(process.ppid));
  writeFileSync(file, others);
  letGo?.();
  expect([existsSync(file), readFileSync(file, 'utf8')]).toEqual([true, others]);
  expect(takeLockFile(file)).toBeNull();
});
