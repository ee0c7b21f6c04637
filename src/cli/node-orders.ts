/**
 * `understudy reinit NODE` and `understudy restart NODE`: orders to one node's agent, watched to their end.
 *
 * A primary in whose place nobody else may be is restarted after a person has said that nobody may write meanwhile.
 */
import { type Command, Option } from 'commander';
import type { AgentClient } from '../api/client.ts';
import type { Accepted } from '../api/contract/orders.ts';
import type { CloneSource } from '../core/backups/clone-base.ts';
import { othersThatMayLead } from '../core/restart-commands.ts';
import type { ClusterStatus } from '../core/status.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { EventName, EventRecord } from '../events/catalogue.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { Asking, ClusterAccess } from './cluster-access.ts';
import { confirm } from './confirmation.ts';
import { eventLine } from './events-text.ts';
import { duration, nodeName } from './option-values.ts';

interface OrderOptions extends CommonOptions {
  readonly timeout: number;
  readonly fromBackups?: boolean;
  readonly fromPrimary?: boolean;
  readonly yes?: boolean;
}

interface Wish {
  readonly from: CloneSource | undefined;
  readonly stopsWrites: boolean;
}

interface NodeOrder {
  readonly name: 'reinit' | 'restart';
  readonly ask: (client: AgentClient, asking: Asking, wish: Wish) => Promise<Accepted>;
  readonly argument: string;
  /** Comes once it was carried out. */
  readonly ends: EventName;
  readonly timeoutMs: number;
  /** The same, as it is typed. */
  readonly timeout: string;
}

const orders: readonly (NodeOrder & {
  readonly summary: string;
  readonly description: string;
  readonly example: string;
})[] = [
  {
    name: 'reinit',
    summary: 'clone a standby again, from the primary or the backups',
    description:
      'Has a standby cloned anew, from the primary or from the repository of backups: whichever is quicker, as far as this node has measured it. Its old data directory is kept until the new one is healthy.',
    example: '\nExamples:\n  understudy reinit pg1\n  understudy reinit pg1 --from-backups\n',
    ask: (client, asking, { from }) => client.reinit(from === undefined ? {} : { from }, asking),
    argument: 'the standby',
    ends: 'postgres.cloned',
    timeoutMs: 24 * 3_600_000,
    timeout: '24h',
  },
  {
    name: 'restart',
    summary: "restart a standby's PostgreSQL, which applies pending settings",
    description:
      "Restarts PostgreSQL on a standby, so that settings which need it take effect. A primary's wait for the next switchover; where no other node may be primary it is restarted itself: writes wait at poolers meanwhile, and fail elsewhere.",
    example:
      '\nExamples:\n  understudy restart pg1\n  understudy restart pg0 --yes   a primary in whose place nobody else may be\n',
    ask: (client, asking, { stopsWrites }) => client.restart(stopsWrites ? { stopsWrites } : {}, asking),
    argument: 'the standby, or a primary in whose place nobody else may be',
    ends: 'postgres.started',
    timeoutMs: 120_000,
    timeout: '2min',
  },
];

const pollMs = 200;
/** So long after its agent came back it is known whether the node goes on with what was begun. */
const knownAfterMs = 5_000;

export function declareNodeOrders(program: Command, perform: Perform): void {
  for (const order of orders) {
    const command = program
      .command(order.name)
      .summary(order.summary)
      .description(order.description)
      .argument('<node>', order.argument, nodeName)
      .addOption(
        new Option('--timeout <duration>', 'how long to wait for its end; 0: do not wait')
          .argParser(duration)
          .default(order.timeoutMs, order.timeout),
      )
      .option('--json', 'print the outcome as JSON')
      .addHelpText('after', order.example)
      .action((node: string, _, called: Command) => {
        const options = called.optsWithGlobals<OrderOptions>();
        return perform(options, (call) => carryOut(call, order, node, options));
      });
    if (order.name === 'reinit') {
      command
        .addOption(
          new Option(
            '--from-backups',
            'restore its base from the repository; copy the primary if that fails',
          ).conflicts('fromPrimary'),
        )
        .option('--from-primary', 'copy the primary, whatever is quicker');
    } else command.option('-y, --yes', 'do not ask where nobody can write meanwhile');
  }
}

function sourceOf({ fromBackups, fromPrimary }: OrderOptions): CloneSource | undefined {
  if (fromBackups === true) return 'backups';
  return fromPrimary === true ? 'primary' : undefined;
}

async function carryOut(call: Call, order: NodeOrder, node: string, options: OrderOptions): Promise<number> {
  const { terminal } = call;
  const timeoutMs = options.timeout;
  const access = await call.cluster();
  const stopsWrites = order.name === 'restart' && isAlone(await access.status(), node);
  if (stopsWrites) {
    const cost = 'writes wait at poolers until it is back, and fail elsewhere';
    await confirm(call, `${node} is the primary, and nobody else may be: ${cost}. Restart it?`, options.yes === true);
  }
  const before = (await eventsAfter(access, 0)).at(-1)?.sequence ?? 0;
  const wish = { from: sourceOf(options), stopsWrites };
  const answer = await access.askNode(node, (client, asking) => order.ask(client, asking, wish));
  if (!answer.accepted) throw new UnderstudyError('REFUSED', answer.because);
  if (!terminal.json) terminal.print(answer.because);
  const served = timeoutMs > 0 ? await untilServed(call, access, { order, node, before, timeoutMs }) : null;
  if (terminal.json) {
    const from = typeof served?.facts.from === 'string' ? { from: served.facts.from } : {};
    terminal.printJson({ node, order: order.name, outcome: served === null ? 'accepted' : 'done', ...from });
  }
  return exitCodes.done;
}

/** Is it the primary, with nobody to relieve it? */
function isAlone({ nodes, primary }: ClusterStatus, node: string): boolean {
  const known = nodes.map(({ failover, node: name, role }) => ({ failover, name, role }));
  const isKnown = known.some(({ name }) => name === node);
  return isKnown && node === primary && othersThatMayLead(known, node).length === 0;
}

interface Watched {
  readonly order: NodeOrder;
  readonly node: string;
  readonly before: number;
  readonly timeoutMs: number;
}

/** Until the event has come, which it answers, and the node streams, or is primary, again. Throws TIMEOUT, CLONE_FAILED. */
async function untilServed(
  call: Call,
  access: ClusterAccess,
  { order, node, before, timeoutMs }: Watched,
): Promise<EventRecord> {
  const { terminal, signal } = call;
  const begunAtMs = performance.now();
  let last = before;
  let served: EventRecord | null = null;
  let forgottenAtMs = Number.POSITIVE_INFINITY;
  while (performance.now() - begunAtMs < timeoutMs) {
    if (signal.aborted) throw new UnderstudyError('TIMEOUT', `no longer waited for; ${node} goes on by itself`);
    try {
      for (const event of await eventsAfter(access, last)) {
        last = event.sequence;
        if (event.node !== node) continue;
        if (!terminal.json) terminal.print(eventLine(event, terminal.paint));
        refuseFailure(event, order);
        if (event.name === order.ends) served = event;
        else if (event.name === 'agent.started') forgottenAtMs = performance.now();
      }
      const isForgotten = performance.now() - forgottenAtMs > knownAfterMs;
      if ((served !== null || isForgotten) && (await isBack(access, node)))
        return served ?? refuseForgotten(node, order);
    } catch (error) {
      if (!isUnderstudyError(error, 'AGENT_UNREACHABLE')) throw error;
    }
    await call.sleep(pollMs);
  }
  throw new UnderstudyError('TIMEOUT', `${node} was not seen to be back in time; it goes on by itself`, {
    hint: `understudy why --node ${node}`,
  });
}

/** The agent goes on trying by itself; whoever waits for it is told of the first failure. */
function refuseFailure({ facts, name, node }: EventRecord, order: NodeOrder): void {
  const because = String(facts.because ?? '');
  const hint = `it tries again by itself: understudy why --node ${node}`;
  if (name === 'postgres.clone_failed') {
    throw new UnderstudyError('CLONE_FAILED', `${node} was not cloned: ${because}`, { hint });
  }
  if (name === 'action.failed' && facts.action === order.name) {
    throw new UnderstudyError('POSTGRES_FAILED', `${node} did not ${order.name}: ${because}`, { hint });
  }
}

/** Orders to a node are kept by its agent alone, and no longer than it lives. */
function refuseForgotten(node: string, { name }: NodeOrder): never {
  throw new UnderstudyError(
    'POSTGRES_FAILED',
    `the agent of ${node} was started anew, and knows nothing of the order`,
    {
      hint: `order it again: understudy ${name} ${node}`,
    },
  );
}

function eventsAfter(access: ClusterAccess, sequence: number): Promise<readonly EventRecord[]> {
  return access.ask((client, asking) => client.events(sequence, asking));
}

async function isBack(access: ClusterAccess, node: string): Promise<boolean> {
  const { nodes, primary } = await access.status();
  const postgres = nodes.find((other) => other.node === node)?.postgres;
  if (node === primary) return postgres?.state === 'primary';
  return postgres?.state === 'standby' && postgres.streamingFrom !== null && postgres.streamingFrom === primary;
}
