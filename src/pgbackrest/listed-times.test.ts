import { expect, it } from 'vitest';
import { newestTime } from './listed-times.ts';

it('knows when the newest was written', () => {
  const file = (time?: number) => ({ size: 1, type: 'file', ...(time === undefined ? {} : { time }) });
  expect(newestTime(JSON.stringify({ a: file(1_795_000_000), b: file(1_795_000_009), c: file() }))).toBe(
    new Date(1_795_000_009_000).toISOString(),
  );
  expect(newestTime('{}')).toBeNull();
  expect(() => newestTime('[WARN]')).toThrow('unknown words');
});
