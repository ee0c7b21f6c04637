import { expect, it } from 'vitest';
import { parseLsn } from '../positions/lsn.ts';
import type { Self } from '../positions/position.ts';
import { realRuntime } from '../timing/runtime.ts';
import { Knowledge } from './knowledge.ts';

function replicaAt(text: string): Self {
  const lsn = parseLsn(text);
  if (lsn === null) throw new Error(`${text} is no LSN`);
  return { role: 'replica', position: { timeline: 1, lsn } };
}

function known(): { knowledge: Knowledge; says: (self: Self | null) => void; position: () => unknown } {
  const knowledge = new Knowledge([{ name: 'a', datacenter: null }], 1_000, { ...realRuntime, nowMs: () => 0 });
  return {
    knowledge,
    says: (self) => knowledge.measured('a', { atMs: 0, self, error: null }),
    position: () => knowledge.positionOf('a'),
  };
}

it('a server that was cloned anew counts from where it is now', () => {
  const { position, says } = known();
  says(replicaAt('0/9'));
  says(replicaAt('0/5'));
  expect(position()).toEqual(replicaAt('0/5').position);
});

it('of a server that may have been replaced no position is known', () => {
  for (const end of ['silent', 'lost', 'failed'] as const) {
    const { knowledge, position, says } = known();
    says(replicaAt('0/9'));
    expect(position()).not.toBeNull();
    if (end === 'silent') says(null);
    if (end === 'lost') knowledge.lost('a');
    if (end === 'failed') knowledge.failed('a');
    expect(position()).toBeNull();
  }
});
