import { expect, it } from 'vitest';
import { clusterView, memoryRenewed, nowMs, plus, primary, walEnd } from '../../test/fixtures/view.ts';
import type { ClusterView } from '../core/cluster-view.ts';
import { whyAnswer } from './why-answer.ts';

const reasons = [{ code: 'primary', text: 'db1 is primary' }];

function answer(view: ClusterView = clusterView(), trouble: string | null = null) {
  const decision = { actions: [], reasons, refused: [], memory: memoryRenewed(100), lookAgainInMs: 100 };
  return whyAnswer('db1', { view, decision, at: new Date(0) }, { trouble, candidates: [] });
}

it('has the same digest for the same view, and another for any other', () => {
  expect(answer().inputDigest).toBe(answer().inputDigest);
  for (const change of [
    { nowMs: nowMs + 1 },
    { postgres: primary({ insertLsn: plus(walEnd, 1) }) },
    { lastJobs: new Map([['cut', { kind: 'cut', outcome: 'done', startedAtMs: 0, finishedAtMs: 1, error: null }]]) },
  ] satisfies Parameters<typeof clusterView>[0][]) {
    expect(answer(clusterView(change)).inputDigest).not.toBe(answer().inputDigest);
  }
});

it('names trouble with the store before all else', () => {
  const { reasons: named } = answer(clusterView(), 'no member answers');
  expect(named).toEqual([{ code: 'store-unreachable', text: 'no member answers' }, ...reasons]);
});
