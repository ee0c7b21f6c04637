import { describe, expect, it } from 'vitest';
import { clusterView, memberStatus, members, nowMs } from '../../../test/fixtures/view.ts';
import { type DatabaseMemory, emptyMemory } from '../memory.ts';
import { assess, liveMember, memberSilentAfterMs } from '../situation.ts';
import { rememberMembers } from './member-status.ts';

/** How an agent that has just started sees db2, whose counter has these values one after the other. */
function lives(...counters: readonly [atMs: number, counter: number][]): boolean {
  let memory: DatabaseMemory = emptyMemory(nowMs);
  let view = clusterView();
  for (const [atMs, counter] of counters) {
    view = clusterView({ nowMs: nowMs + atMs, store: { members: members(memberStatus('db2', { counter })) } });
    memory = { ...memory, memberSeen: rememberMembers(view, memory) };
  }
  return liveMember(assess(view, memory), 'db2') !== null;
}

describe('a member', () => {
  it('lives when its counter was seen to move, not because the store knows it', () => {
    expect(lives([0, 5])).toBe(false);
    expect(lives([0, 5], [2_000, 5])).toBe(false);
    expect(lives([0, 5], [2_000, 6])).toBe(true);
  });

  it('is silent when its counter has stood still for a while', () => {
    expect(lives([0, 5], [1, 6], [1 + memberSilentAfterMs, 6])).toBe(true);
    expect(lives([0, 5], [1, 6], [2 + memberSilentAfterMs, 6])).toBe(false);
  });
});
