/** `understudy reinit NODE` and `understudy restart NODE`: orders to one standby's agent, watched to their end. */
import { type Command, Option } from 'commander';
import type { AgentClient } from '../api/client.ts';
import type { Accepted } from '../api/contract/orders.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { EventName, EventRecord } from '../events/catalogue.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { Asking, ClusterAccess } from './cluster-access.ts';
import { eventLine } from './events-text.ts';
import { duration, nodeName } from './option-values.ts';

interface OrderOptions extends CommonOptions {
  readonly timeout: number;
}

interface NodeOrder {
  readonly name: 'reinit' | 'restart';
  readonly ask: (client: AgentClient, asking: Asking) => Promise<Accepted>;
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
    summary: 'clone a standby again from the primary',
    description:
      'Has a standby cloned anew from the primary. Its old data directory is kept until the new one is healthy.',
    example: '\nExample:\n  understudy reinit pg1\n',
    ask: (client, asking) => client.reinit(asking),
    ends: 'postgres.cloned',
    timeoutMs: 24 * 3_600_000,
    timeout: '24h',
  },
  {
    name: 'restart',
    summary: "restart a standby's PostgreSQL, which applies pending settings",
    description:
      "Restarts PostgreSQL on a standby, so that settings which need it take effect. A primary's wait for the next switchover.",
    example: '\nExample:\n  understudy restart pg1\n',
    ask: (client, asking) => client.restart(asking),
    ends: 'postgres.started',
    timeoutMs: 120_000,
    timeout: '2min',
  },
];

const pollMs = 200;

export function declareNodeOrders(program: Command, perform: Perform): void {
  for (const order of orders) {
    program
      .command(order.name)
      .summary(order.summary)
      .description(order.description)
      .argument('<node>', 'the standby', nodeName)
      .addOption(
        new Option('--timeout <duration>', 'how long to wait for its end; 0: do not wait')
          .argParser(duration)
          .default(order.timeoutMs, order.timeout),
      )
      .option('--json', 'print the outcome as JSON')
      .addHelpText('after', order.example)
      .action((node: string, _, command: Command) => {
        const options = command.optsWithGlobals<OrderOptions>();
        return perform(options, (call) => carryOut(call, order, node, options.timeout));
      });
  }
}

async function carryOut(call: Call, order: NodeOrder, node: string, timeoutMs: number): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  await access.status();
  const before = (await eventsAfter(access, 0)).at(-1)?.sequence ?? 0;
  const answer = await access.askNode(node, (client, asking) => order.ask(client, asking));
  if (!answer.accepted) throw new UnderstudyError('REFUSED', answer.because);
  if (!terminal.json) terminal.print(answer.because);
  if (timeoutMs > 0) await untilServed(call, access, { order, node, before, timeoutMs });
  if (terminal.json) terminal.printJson({ node, order: order.name, outcome: timeoutMs > 0 ? 'done' : 'accepted' });
  return exitCodes.done;
}

interface Watched {
  readonly order: NodeOrder;
  readonly node: string;
  readonly before: number;
  readonly timeoutMs: number;
}

/** Until the event has come and the node streams again. Throws TIMEOUT, CLONE_FAILED. */
async function untilServed(
  call: Call,
  access: ClusterAccess,
  { order, node, before, timeoutMs }: Watched,
): Promise<void> {
  const { terminal, signal } = call;
  const begunAtMs = performance.now();
  let last = before;
  let isServed = false;
  while (performance.now() - begunAtMs < timeoutMs) {
    if (signal.aborted) throw new UnderstudyError('TIMEOUT', `no longer waited for; ${node} goes on by itself`);
    try {
      for (const event of await eventsAfter(access, last)) {
        last = event.sequence;
        if (event.node !== node) continue;
        if (!terminal.json) terminal.print(eventLine(event, terminal.paint));
        refuseFailure(event, order);
        if (event.name === order.ends) isServed = true;
      }
      if (isServed && (await isStreaming(access, node))) return;
    } catch (error) {
      if (!isUnderstudyError(error, 'AGENT_UNREACHABLE')) throw error;
    }
    await call.sleep(pollMs);
  }
  throw new UnderstudyError('TIMEOUT', `${node} was not seen to stream again in time; it goes on by itself`, {
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

function eventsAfter(access: ClusterAccess, sequence: number): Promise<readonly EventRecord[]> {
  return access.ask((client, asking) => client.events(sequence, asking));
}

async function isStreaming(access: ClusterAccess, node: string): Promise<boolean> {
  const { nodes, primary } = await access.status();
  const postgres = nodes.find((other) => other.node === node)?.postgres;
  return postgres?.state === 'standby' && postgres.streamingFrom !== null && postgres.streamingFrom === primary;
}
