import { expect, it } from 'vitest';
import { noPoolerMemory } from '../core/rules/pooler-memory.ts';
import { Remembering } from './app-node-remembering.ts';

const known = (term: number) => ({ memory: { ...noPoolerMemory, term }, gate: { state: 'open' } as const });

/** `disk.fails`: with which words it refuses now. */
function world() {
  const written: number[] = [];
  const told: string[] = [];
  const disk: { fails: string | null } = { fails: null };
  const journal = {
    read: () => null,
    write({ memory }: ReturnType<typeof known>) {
      if (disk.fails !== null) throw new Error(disk.fails);
      written.push(memory.term);
    },
  };
  return { remembering: new Remembering(journal, (because) => told.push(because)), disk, written, told };
}

it('writes what is new, and nothing twice', () => {
  const { remembering, written } = world();
  for (const term of [1, 1, 2, 2, 1]) remembering.write(known(term));
  expect(written).toEqual([1, 2, 1]);
});

it('tells each trouble once, and tries again until the disk takes it', () => {
  const { disk, remembering, told, written } = world();
  disk.fails = 'no space left';
  for (const term of [1, 1, 2]) remembering.write(known(term));
  expect([told, written, remembering.trouble]).toEqual([['no space left'], [], 'no space left']);
  disk.fails = 'read-only file system';
  remembering.write(known(2));
  expect(told).toEqual(['no space left', 'read-only file system']);
  disk.fails = null;
  remembering.write(known(2));
  expect([remembering.trouble, written]).toEqual([null, [2]]);
});
