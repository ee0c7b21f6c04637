import { beforeEach, expect, it } from 'vitest';
import { segment, segmentBytes } from '../../test/fixtures/backups.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { ArchiveListing } from './archive-listing.ts';

const root = 'archive/psf-15/15-1';
let files: Set<string>;
let asked: string[];
let nowMs: number;
let listing: ArchiveListing;
/** Everything at once takes too long, and each folder 12 s. */
let isSlow: boolean;
let failsAt: number | null;

const folderOf = (name: string) => `${root}/${name.slice(0, 16)}`;
const store = (number: number, timeline = 1, suffix = '.zst') =>
  files.add(`${folderOf(segment(number, timeline))}/${segment(number, timeline)}-${'a'.repeat(40)}${suffix}`);
const ranges = async () => (await listing.ranges(segmentBytes)).map(({ first, last }) => [first, last]);

beforeEach(() => {
  [isSlow, failsAt] = [false, null];
  [files, asked, nowMs] = [new Set(['archive/psf-15/archive.info', `${root}/00000002.history`]), [], 0];
  listing = new ArchiveListing(
    'psf-15',
    async (path, { deep }, onName) => {
      asked.push(deep ? `${path}/**` : path);
      if (deep && isSlow) throw new UnderstudyError('TIMEOUT', 'pgbackrest did not end in time');
      if (path !== root && isSlow) nowMs += 12_000;
      if (asked.length === failsAt) throw new UnderstudyError('REPOSITORY_UNREACHABLE', 'nobody answers');
      const below = [...files].filter((file) => file.startsWith(`${path}/`)).map((file) => file.slice(path.length + 1));
      const names = below.flatMap((name) => {
        const [first = ''] = name.split('/');
        return deep && name !== first ? [first, name] : [deep ? name : first];
      });
      for (const name of new Set(names)) onName(name);
    },
    () => nowMs,
  );
  for (const number of [1, 2, 3, 255, 256, 257, 600]) store(number);
});

const atFirst = [
  [segment(1), segment(3)],
  [segment(255), segment(257)],
  [segment(600), segment(600)],
];

it('says which stretches there are, over the folders that they lie in', async () => {
  expect(await ranges()).toEqual(atFirst);
  files.clear();
  listing = new ArchiveListing(
    'psf-15',
    async () => undefined,
    () => nowMs,
  );
  expect(await ranges()).toEqual([]);
});

it('counts no partial segment, and nothing of another history', async () => {
  const name = segment(4);
  files.add(`${folderOf(name)}/${name}.partial-${'a'.repeat(40)}.zst`);
  files.add(`${folderOf(name)}/${name}.00000028.backup`);
  expect(await ranges()).toEqual(atFirst);
  for (const file of [...files]) files.add(file.replace('15-1', '15-10').replaceAll('00000001', '00000007'));
  listing = new ArchiveListing(
    'psf-15',
    async (path) => void asked.push(path),
    () => nowMs,
  );
  await ranges();
  expect(asked.at(-1)).toBe('archive/psf-15');
});

it('lists only what can have changed, and after an hour everything', async () => {
  await ranges();
  store(601);
  store(602, 2);
  store(1_000, 2);
  asked = [];
  const later = [
    ...atFirst.slice(0, 2),
    [segment(600), segment(601)],
    [segment(602, 2), segment(602, 2)],
    [segment(1_000, 2), segment(1_000, 2)],
  ];
  expect(await ranges()).toEqual(later);
  expect(asked).toEqual([
    root,
    ...[256, 600, 602, 1_000].map((number) => folderOf(segment(number, number <= 600 ? 1 : 2))),
  ]);
  // In the middle of what was archived long ago; nobody looks there each minute.
  files.delete(`${folderOf(segment(2))}/${segment(2)}-${'a'.repeat(40)}.zst`);
  asked = [];
  expect(await ranges()).toEqual(later);
  expect(asked).toHaveLength(5);
  nowMs += 3_600_000;
  expect((await ranges()).slice(0, 2)).toEqual([
    [segment(1), segment(1)],
    [segment(3), segment(3)],
  ]);
});

it('lists what was filled since the last look, however many folders began meanwhile', async () => {
  await ranges();
  for (let number = 601; number < 900; number += 1) store(number);
  const whole = [...atFirst.slice(0, 2), [segment(600), segment(899)]];
  expect(await ranges()).toEqual(whole);
  for (let number = 900; number < 1_800; number += 1) store(number);
  expect(await ranges()).toEqual([...atFirst.slice(0, 2), [segment(600), segment(1_799)]]);
});

it('lists a folder once more after the next timeline began', async () => {
  for (const timeline of [2, 3]) store(600 + timeline, timeline);
  await ranges();
  store(603, 2);
  for (const timeline of [4, 5]) store(600 + timeline, timeline);
  expect(await ranges()).toContainEqual([segment(602, 2), segment(603, 2)]);
});

it('forgets a folder that expired', async () => {
  await ranges();
  for (const file of files) if (file.startsWith(folderOf(segment(1)))) files.delete(file);
  expect(await ranges()).toEqual([[segment(256), segment(257)], atFirst[2]]);
});

it('lists a large archive some folders at a time, and loses nothing of what it listed', async () => {
  isSlow = true;
  for (let number = 0; number < 12; number += 1) store(number * 256 + 5);
  const folder = (number: number) => folderOf(segment(number * 256 + 5));
  // The last two, which still grow, and three more.
  await expect(ranges()).rejects.toThrow('5 of 12 folders are listed so far');
  expect(asked).toEqual(['archive/psf-15', `${root}/**`, root, ...[10, 11, 0, 1, 2].map(folder)]);
  [asked, failsAt] = [[], 5];
  await expect(ranges()).rejects.toThrow('nobody answers');
  expect(asked).toEqual([root, ...[10, 11, 3, 4].map(folder)]);
  [asked, failsAt] = [[], null];
  await expect(ranges()).rejects.toThrow('9 of 12');
  expect(asked).toEqual([root, ...[10, 11, 4, 5, 6].map(folder)]);
  expect(await ranges()).toContainEqual([segment(11 * 256 + 5), segment(11 * 256 + 5)]);
  // From now on those that were listed longest ago, and never everything at once.
  nowMs += 3_600_000;
  asked = [];
  await ranges();
  await ranges();
  expect(asked.slice(0, 6)).toEqual([root, ...[10, 11, 0, 1, 2].map(folder)]);
  expect(asked.slice(6)).toEqual([root, ...[10, 11, 3, 4, 5].map(folder)]);
});
