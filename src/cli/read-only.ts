/** `understudy read-only`: everyone is served from standbys while nobody may write, until it is ended. */
import { Argument, type Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';

interface ReadOnlyOptions extends CommonOptions {
  readonly reason?: string;
}

const orderWithinMs = 5_000;
/** A pooler reloads within ms, and reports within two seconds. */
const followWithinMs = 10_000;
const lookEveryMs = 200;
const examples = `
Examples:
  understudy read-only on --reason 'moving the disks'
  understudy read-only off

Reads work, and each write is refused at once (SQLSTATE 25006). Transactions under way go on to their end. It holds for
poolers: who connects to the primary directly can write. Exit code 1: a pooler did not follow in time.
`;

export function declareReadOnly(program: Command, perform: Perform): void {
  program
    .command('read-only')
    .summary('serve everyone from standbys while nobody may write')
    .description('Has every pooler serve its writers from a standby, or ends that.')
    .addArgument(new Argument('<state>', 'nobody may write, or everybody again').choices(['on', 'off']))
    .option('--reason <text>', 'with on: why, for status and events')
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', examples)
    .action((state: string, _, command: Command) => {
      const options = command.optsWithGlobals<ReadOnlyOptions>();
      return perform(options, (call) => readOnly(call, state === 'on', options.reason ?? null));
    });
}

async function readOnly(call: Call, on: boolean, reason: string | null): Promise<number> {
  const { terminal } = call;
  if (!on && reason !== null) {
    throw new UnderstudyError('REQUEST_INVALID', '--reason says why nobody may write: it goes with on', {
      hint: 'understudy read-only off',
    });
  }
  const access = await call.cluster();
  await access.status();
  const answer = await access.order((client, asking) => client.readOnly({ on, reason }, asking), orderWithinMs);
  if (!answer.accepted) throw new UnderstudyError('REFUSED', answer.because);
  const others = await untilFollowed(call, access, on);
  if (terminal.json) terminal.printJson({ readOnly: on, because: answer.because, poolers: others });
  else terminal.print(answer.because);
  if (!terminal.json) for (const node of others) terminal.print(`  the pooler on ${node} has not followed yet`);
  return others.length === 0 ? exitCodes.done : exitCodes.failed;
}

/** Answers the poolers that have not said in time that they do so. Throws TIMEOUT when nobody could be asked. */
async function untilFollowed(call: Call, access: ClusterAccess, on: boolean): Promise<readonly string[]> {
  const begunAtMs = performance.now();
  let others: readonly string[] | null = null;
  do {
    try {
      const { poolers } = await access.status();
      others = poolers.filter(({ report }) => report?.readOnly !== on).map(({ node }) => node);
      if (others.length === 0) return others;
    } catch (error) {
      // Whoever does not want to wait any longer is told what was seen last.
      if (!call.signal.aborted && !isUnderstudyError(error, 'AGENT_UNREACHABLE')) throw error;
    }
    await call.sleep(lookEveryMs);
  } while (performance.now() - begunAtMs < followWithinMs && !call.signal.aborted);
  if (others !== null) return others;
  throw new UnderstudyError('TIMEOUT', 'it was ordered, and it is not known whether poolers follow', {
    hint: 'understudy status',
  });
}
