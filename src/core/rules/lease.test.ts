/** What a holder does about the lease when writes of its own may still be under way, or the store is out of sight. */
import { describe, expect, it } from 'vitest';
import { acts } from '../../../test/fixtures/verdict.ts';
import {
  clusterView,
  memberStatus,
  members,
  memoryRenewed,
  nowMs,
  stopped,
  stored,
} from '../../../test/fixtures/view.ts';
import { decide } from '../decide.ts';
import type { DatabaseMemory } from '../memory.ts';

/** It went down just now, `agoMs` after its last renewal. */
const crashedAfter = (agoMs: number): DatabaseMemory => ({
  ...memoryRenewed(agoMs),
  crashes: { running: null, at: [nowMs - 10] },
});
const did = (decision: ReturnType<typeof decide>) => acts(decision).map((action) => action.do);

describe('what a holder writes of its own lease', () => {
  const crashed = { postgres: stopped({ shutdown: 'crashed' }), diskFreeBytes: 0 };
  const handsOver = clusterView({
    ...crashed,
    store: {
      members: members(memberStatus('db2'), memberStatus('db3')),
      durability: stored({ term: 5, standbys: ['db2', 'db3'], k: 1 }),
    },
  });
  const cutOff = clusterView({ store: { members: members(memberStatus('db3', { cutTerm: 6 })) } });

  it.each([
    ['release-lease', handsOver],
    ['take-next-term', cutOff],
  ])('%s names the renewal that it saw, and waits for one that is due', (what, view) => {
    const [action] = acts(decide(view, crashedAfter(10)));
    expect(action).toMatchObject({ do: what, renewal: { revision: 41 } });
    const due = decide(view, crashedAfter(1_100));
    expect(did(due)).toEqual(['renew-lease']);
    expect(due.lookAgainInMs).toBe(0);
  });
});
