/**
 * `understudy failover`: what to do when nobody takes over by themselves, because something would be lost.
 *
 * Invariant: nothing is accepted that was not printed first. The order names the plan that was shown; the cluster refuses
 * it when there is more to lose by now.
 */
import type { Command } from 'commander';
import type { FailoverAnswer, FailoverRequest } from '../api/contract/orders.ts';
import type { FailoverPlan } from '../core/rules/failover-order.ts';
import type { ClusterStatus } from '../core/status.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { confirm } from './confirmation.ts';
import { lossLines, obstacleLines, standingLines } from './failover-text.ts';
import { nodeName } from './option-values.ts';

interface FailoverOptions extends CommonOptions {
  readonly to?: string;
  readonly acceptLoss?: boolean;
  readonly yes?: boolean;
}

const askWithinMs = 5_000;
/** Until the lease is free and every live node has said how far it is: TTL + drift, and a restart of PostgreSQL. */
const decidedWithinMs = 60_000;
const promotedWithinMs = 120_000;
const pollMs = 200;
const examples = `
Examples:
  understudy failover                  who would be elected, and what that would cost
  understudy failover --accept-loss    lose it, and go on
  understudy failover --to pg1 --accept-loss --yes

A cluster fails over alone when nothing is lost by it. It waits for a person when commits that were acknowledged as
replicated may be on nodes that are not heard, or when every candidate is further behind than declared. --accept-loss
is good for one election; a primary that comes back before it ends it. Exit code 3: refused, nothing was changed.
`;

export function declareFailover(program: Command, perform: Perform): void {
  program
    .command('failover')
    .summary('when nobody takes over because something would be lost: say what, and decide')
    .description('Shows who could take over from a primary that is gone, and has a person accept what is lost by it.')
    .option('--to <node>', 'this node, and no other', nodeName)
    .option('--accept-loss', 'take over in spite of what may be lost')
    .option('--yes', 'do not ask')
    .option('--json', 'print it as JSON')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<FailoverOptions>();
      return perform(options, (call) => failover(call, options));
    });
}

async function failover(call: Call, options: FailoverOptions): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  await access.status();
  const to = options.to ?? null;
  const plan = await decidedPlan(call, access, to);
  if (plan.blockers.length > 0) return refused(call, plan, 'the failover was refused');
  if (plan.winner !== null) {
    if (!terminal.json) terminal.print(`${plan.winner} is elected for term ${plan.term} without any loss.`);
    return await follow(call, access, plan);
  }
  if (!terminal.json) terminal.print(...standingLines(plan), ...lossLines(plan));
  if (options.acceptLoss !== true || plan.loss === null) {
    return refused(call, plan, 'somebody has to accept that loss: --accept-loss; or bring back who is not heard');
  }
  await confirm(call, 'This can not be taken back.', options.yes === true);
  const { covers, atLeastBytes } = plan.loss;
  const accept = { term: plan.term, counter: plan.counter, covers, atLeastBytes };
  const answer = await ask(access, { to, accept });
  if (answer.outcome === 'refused') return refused(call, answer.plan, 'the failover was refused');
  return await follow(call, access, plan);
}

/** Asks until the lease is free and the ballots are in. */
async function decidedPlan(call: Call, access: ClusterAccess, to: string | null): Promise<FailoverPlan> {
  const begunAtMs = performance.now();
  for (let said = false; ; ) {
    const { plan } = await ask(access, { to, accept: null });
    if (plan.waitMs === null) return plan;
    if (performance.now() - begunAtMs > decidedWithinMs || call.signal.aborted) {
      throw new UnderstudyError('TIMEOUT', `it was not decided in time who can be elected for term ${plan.term}`, {
        hint: 'find out why: understudy why',
      });
    }
    if (!said) call.terminal.note(`waiting until the lease of ${plan.lastHolder} is free and every node has answered`);
    said = true;
    await call.sleep(pollMs);
  }
}

function ask(access: ClusterAccess, request: FailoverRequest): Promise<FailoverAnswer> {
  return access.order((client, asking) => client.failover(request, asking), askWithinMs);
}

/** Until somebody is writable in that term or a later one. */
async function follow(call: Call, access: ClusterAccess, plan: FailoverPlan): Promise<number> {
  const begunAtMs = performance.now();
  while (performance.now() - begunAtMs < promotedWithinMs && !call.signal.aborted) {
    const primary = await newPrimary(access, plan.term);
    if (primary !== null) return done(call, plan, primary);
    await call.sleep(pollMs);
  }
  throw new UnderstudyError(
    'TIMEOUT',
    `nobody was seen to be primary in term ${plan.term}; the cluster goes on trying`,
    {
      hint: 'find out why: understudy why',
    },
  );
}

async function newPrimary(access: ClusterAccess, term: number): Promise<ClusterStatus | null> {
  try {
    const status = await access.status();
    const holder = status.nodes.find(({ node }) => node === status.primary);
    return (status.term ?? 0) >= term && holder?.postgres?.state === 'primary' ? status : null;
  } catch (error) {
    if (isUnderstudyError(error, 'AGENT_UNREACHABLE')) return null;
    throw error;
  }
}

function done({ terminal }: Call, plan: FailoverPlan, { primary, term }: ClusterStatus): number {
  // Once the winner is known to need nobody's consent, nothing that is known of was lost.
  const accepted = plan.winner === null ? plan.loss : null;
  if (terminal.json) terminal.printJson({ outcome: 'done', primary, term, accepted });
  else terminal.print(`${primary} is primary, term ${term}.`);
  return exitCodes.done;
}

function refused({ terminal }: Call, plan: FailoverPlan, because: string): number {
  if (terminal.json) terminal.printJson({ outcome: 'refused', ...plan });
  else if (plan.blockers.length > 0) terminal.print(...obstacleLines(plan, terminal.paint));
  const error = new UnderstudyError('REFUSED', `${because}; nothing was changed`, {
    hint: 'see the reasons given above',
  });
  terminal.fail(error);
  return exitCodes.refused;
}
