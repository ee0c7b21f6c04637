/** How it reads who could be elected, what that would cost, and what stands against it. */
import type { FailoverPlan } from '../core/rules/failover-order.ts';
import type { Paint } from './terminal.ts';
import { bytesText, columns } from './words.ts';

const advice: Readonly<Record<string, (plan: FailoverPlan) => string>> = {
  'hands-off': () => 'understudy hands-off --off',
  'lease-held': ({ lastHolder }) =>
    `if it works: understudy switchover; if it does not: end the agent on ${lastHolder}, then ask again`,
  'unknown-node': () => 'see which there are: understudy status',
  'elected-other': ({ winner }) => `wait until ${winner} is primary, then: understudy switchover --to NODE`,
  'nobody-heard': () => 'see whether their agents run: understudy doctor',
  'not-heard': () => 'see whether its agent runs: understudy doctor',
};

export function obstacleLines(plan: FailoverPlan, paint: Paint): readonly string[] {
  return plan.blockers.flatMap(({ text, blockedBy }) => {
    const what = advice[blockedBy]?.(plan);
    const line = `${paint('red', '✗')} ${text} ${paint('dim', `(${blockedBy})`)}`;
    return what === undefined ? [line] : [line, `  -> ${what}`];
  });
}

/** Every node that said how far it is, and those that should have. */
export function standingLines(plan: FailoverPlan): readonly string[] {
  const heard = plan.candidates.map(({ node, lacksBytes, because }) => [
    `  ${node}`,
    lacksBytes === 0 ? 'lacks nothing that is known of' : `lacks at least ${bytesText(lacksBytes)}`,
    because ?? 'can be elected',
  ]);
  const silent = plan.unheard.map((node) => [`  ${node}`, 'not heard', 'may have what nobody else has']);
  return [
    `${plan.lastHolder} was primary in term ${plan.term - 1}, and does not renew:`,
    ...columns([...heard, ...silent]),
  ];
}

/** What accepting it means; `[]`: there is nothing to accept. */
export function lossLines({ loss, lastHolder, unheard }: FailoverPlan): readonly string[] {
  if (loss === null) return [];
  const { node, atLeastBytes, unknownAfter, covers } = loss;
  const known = atLeastBytes === 0 ? 'nothing that is known of' : `at least ${bytesText(atLeastBytes)} of WAL`;
  const after =
    unknownAfter === null
      ? 'whatever it has not received'
      : `whatever was committed after ${unknownAfter.lsn} of timeline ${unknownAfter.timeline}`;
  const silent = unheard.length === 0 ? lastHolder : `${lastHolder}, ${unheard.join(', ')}`;
  const replicated =
    covers === 'all'
      ? 'What other nodes are known to have is given up for it, commits acknowledged as replicated among it.'
      : `Commits acknowledged as replicated may be among it: ${silent} may have them, and nobody who is heard.`;
  return [`${node} would take over. Lost would be ${known}, and ${after}.`, replicated];
}
