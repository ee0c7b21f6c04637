/** `understudy hands-off`: keeps the automation from acting while people work on the servers, for a limited time. */
import { type Command, InvalidArgumentError } from 'commander';
import { handsOffAtMostMs } from '../core/hands-off.ts';
import type { HandsOffStatus } from '../core/status.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { handsOffText } from './hands-off-text.ts';
import { duration } from './option-values.ts';
import { ageText } from './words.ts';

interface HandsOffOptions extends CommonOptions {
  readonly for?: number;
  readonly off?: boolean;
}

const orderWithinMs = 5_000;
const examples = `
Examples:
  understudy hands-off --for 2h     people work: nothing fails over, starts, restarts or is cloned
  understudy hands-off              how long still
  understudy hands-off --off        the automation acts again

Agents go on renewing the lease, and stop a server that lost its right to be primary; they do nothing else. Leave them
running: without its agent a primary is stopped when its lease runs out. Poolers go on serving. It ends by itself; a
restarted agent may lengthen it by about a minute. Exit code 3: a switchover is under way.
`;

export function declareHandsOff(program: Command, perform: Perform): void {
  program
    .command('hands-off')
    .summary('keep the automation from acting while people work')
    .description('Makes the automation inert for a limited time, says how long it still is, or ends it.')
    .option('--for <duration>', 'for so long, such as 30min or 2h; seven days at most', limitedDuration)
    .option('--off', 'the automation acts again')
    .option('--json', 'print it as JSON')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<HandsOffOptions>();
      return perform(options, (call) => handsOff(call, options));
    });
}

function limitedDuration(value: string): number {
  const ms = duration(value);
  if (ms < 1_000 || ms > handsOffAtMostMs) throw new InvalidArgumentError('From 1 s to 168h is possible.');
  return ms;
}

async function handsOff(call: Call, options: HandsOffOptions): Promise<number> {
  if (options.for !== undefined && options.off === true) {
    throw new UnderstudyError('REQUEST_INVALID', '--for and --off contradict each other');
  }
  const access = await call.cluster();
  const { handsOff: now } = await access.status();
  if (options.for === undefined && options.off !== true) return show(call, now);
  const forMs = options.off === true ? null : (options.for ?? null);
  return await order(call, access, forMs);
}

async function order(call: Call, access: ClusterAccess, forMs: number | null): Promise<number> {
  const { terminal } = call;
  const answer = await access.order((client, asking) => client.handsOff({ forMs }, asking), orderWithinMs);
  if (!answer.accepted) throw new UnderstudyError('REFUSED', answer.because);
  if (terminal.json) terminal.printJson({ handsOff: forMs !== null, forMs, because: answer.because });
  else terminal.print(forMs === null ? answer.because : `${answer.because}, for ${ageText(forMs)}`);
  return exitCodes.done;
}

function show({ terminal }: Call, now: HandsOffStatus | null): number {
  if (terminal.json) terminal.printJson({ handsOff: now !== null, ...now });
  else if (now === null) terminal.print('hands are on: the automation acts');
  else terminal.print(handsOffText(now));
  return exitCodes.done;
}
