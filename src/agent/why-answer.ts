/**
 * What `why` prints of an agent's last decision: its reasons, what was refused, what was done, and a digest of what it was
 * decided by, so that two answers show whether they rest on the same.
 */
import { createHash } from 'node:crypto';
import type { WhyAnswer } from '../api/contract/looks.ts';
import type { ClusterView } from '../core/cluster-view.ts';
import type { NodeName } from '../core/spec.ts';
import type { Latest } from './database-node.ts';

/** `trouble`: with the store, in one line; `null`: none. */
export function whyAnswer(
  node: NodeName,
  { view, decision, at }: Pick<Latest, 'view' | 'decision' | 'at'>,
  { trouble, candidates }: { readonly trouble: string | null; readonly candidates: WhyAnswer['candidates'] },
): WhyAnswer {
  return {
    node,
    at: at.toISOString(),
    inputDigest: digest(view),
    reasons: trouble === null ? decision.reasons : [{ code: 'store-unreachable', text: trouble }, ...decision.reasons],
    refused: decision.refused,
    candidates,
    actions: decision.actions.map((action) => ({ do: action.do, because: action.because })),
  };
}

function digest(view: ClusterView): string {
  const listed = {
    ...view,
    store: { ...view.store, members: [...view.store.members], poolers: [...view.store.poolers] },
    reports: [...view.reports],
    lastJobs: [...view.lastJobs],
  };
  const text = JSON.stringify(listed, (_, part: unknown) => (typeof part === 'bigint' ? part.toString() : part));
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
