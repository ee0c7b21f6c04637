import { expect, it } from 'vitest';
import { place } from './image-places.ts';
import * as allKeys from './keys.ts';
import { emptyImage } from './store-image.ts';

const { keys, secretPrefix, eventPrefix, ...others } = allKeys;
const schemed = Object.entries(others).flatMap(([name, prefix]) =>
  name.endsWith('Prefix') && typeof prefix === 'string' ? [`${prefix}1`] : [],
);

it.each([...Object.values(keys), ...schemed, allKeys.credentialKey('web0', 'shop')])(
  '%s has a place, where what does not pass its schema is unknown and listed',
  (key) => {
    const image = place(emptyImage(), { key, value: '{', revision: 1 });
    expect(image.unreadable).toEqual([key]);
    expect(place(image, { key, value: null, revision: 2 })).toEqual(emptyImage());
  },
);

it('has every prefix at least once, and none that is the beginning of another', () => {
  const prefixes = [...schemed.map((key) => key.slice(0, -1)), secretPrefix, eventPrefix];
  expect(prefixes.length).toBeGreaterThan(10);
  for (const one of prefixes) expect(prefixes.filter((other) => other.startsWith(one))).toEqual([one]);
});

it('keeps sealed texts as they stand there: only whom they are for can tell whether they are whole', () => {
  const image = place(emptyImage(), { key: `${secretPrefix}db1/issuing`, value: '{', revision: 3 });
  expect(image.secrets.get('db1/issuing')).toEqual({ value: '{', revision: 3 });
  expect(image.unreadable).toEqual([]);
});

it('leaves out an event and a key of a newer version', () => {
  expect(place(emptyImage(), { key: `${eventPrefix}000000000001`, value: '{', revision: 1 })).toEqual(emptyImage());
  const image = emptyImage();
  expect(place(image, { key: 'later/db1', value: '{}', revision: 1 })).toBe(image);
});
