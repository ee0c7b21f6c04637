/** How it reads that nobody may write; the same words in every verb. */
import type { ReadOnlyOrder } from '../core/cluster-view.ts';

export function readOnlyText({ by, at, reason }: ReadOnlyOrder): string {
  return `READ-ONLY since ${at}, as ${by} ordered: ${reason ?? 'no reason given'}`;
}
