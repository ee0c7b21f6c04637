import { expect, test } from 'vitest';
import { InTurn } from './in-turn.ts';

test('acts follow each other, also after one that failed', async () => {
  const turns = new InTurn();
  const seen: string[] = [];
  const first = turns.run(async () => {
    seen.push('first begins');
    await Promise.resolve();
    seen.push('first fails');
    throw new Error('first');
  });
  const second = turns.run(() => Promise.resolve(seen.push('second')));
  await expect(first).rejects.toThrow('first');
  expect(await second).toBe(3);
  expect(seen).toEqual(['first begins', 'first fails', 'second']);
});
