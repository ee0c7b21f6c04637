import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { foundAuthority, readAuthorityParts } from './authority-files.ts';
import { finishRollover, isBeingFinished, isRollingOver, nextAuthority, nextDirectory } from './rollover-files.ts';

const lives = { rootLifeMs: 3_650 * 86_400_000, issuingLifeMs: 395 * 86_400_000 };
const about = { cluster: 'psf', passphrase: 'correct horse', ...lives, nowMs: Date.now() };
let directory: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-rollover-'));
  await foundAuthority({ directory, ...about });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const rootIn = (place: string) => readFileSync(join(place, 'root.crt'), 'utf8');

it('keeps the next authority beside the one until it takes its place, interrupted or not', async () => {
  const former = rootIn(directory);
  // Cut short while it was founded.
  mkdirSync(nextDirectory(directory));
  writeFileSync(join(nextDirectory(directory), 'root.key'), 'half');
  expect(isRollingOver(directory)).toBe(false);
  const { root } = await nextAuthority(directory, about);
  expect((await nextAuthority(directory, about)).root.certificatePem).toBe(root.certificatePem);
  expect([isRollingOver(directory), rootIn(directory)]).toEqual([true, former]);
  // Cut short while it takes the place.
  mkdirSync(join(directory, 'former'));
  renameSync(nextDirectory(directory), join(directory, 'finishing'));
  renameSync(join(directory, 'root.crt'), join(directory, 'former', 'root.crt'));
  renameSync(join(directory, 'finishing', 'root.crt'), join(directory, 'root.crt'));
  expect([isRollingOver(directory), isBeingFinished(directory)]).toEqual([false, true]);
  finishRollover(directory);
  expect(isBeingFinished(directory)).toBe(false);
  expect([rootIn(directory), rootIn(join(directory, 'former'))]).toEqual([root.certificatePem, former]);
  expect(existsSync(nextDirectory(directory))).toBe(false);
  expect(readAuthorityParts(directory).map(({ key }) => key)).toEqual(['encrypted', 'encrypted']);
});

it('is begun with the passphrase of the former one alone', async () => {
  await expect(nextAuthority(directory, { ...about, passphrase: 'another horse' })).rejects.toThrow('does not open');
  expect(existsSync(nextDirectory(directory))).toBe(false);
});
