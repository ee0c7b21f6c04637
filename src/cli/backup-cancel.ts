/** `understudy backup cancel`: the work on the repository that is under way ends. */
import type { Command } from 'commander';
import { isEnded, wasCancelled } from '../core/backup-run.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { followToEnd } from './backup-follow.ts';
import type { Call, CommonOptions, Perform } from './call.ts';

const orderWithinMs = 10_000;

const examples = `
Examples:
  understudy backup cancel            a verification that holds up the backups, say
  understudy backup cancel B-0007     this one, if it is the one that is under way

What is owed stays owed: the schedule begins a cancelled backup or proof again as one that failed, later each time. Exit code 3:
nothing is under way, or it ended before.
`;

export function declareCancel(backup: Command, perform: Perform): void {
  backup
    .command('cancel [run]')
    .summary('end the backup, verification or proof that is under way')
    .description('Ends the work on the repository that is under way, wherever it runs, and waits until it has ended.')
    .option('--json', 'print it as JSON')
    .addHelpText('after', examples)
    .action((run: string | undefined, _, command: Command) =>
      perform(command.optsWithGlobals<CommonOptions>(), (call) => cancel(call, run ?? null)),
    );
}

async function cancel(call: Call, named: string | null): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  const { run } = await access.ask((client, asking) => client.backups(asking));
  if (run === null || isEnded(run) || (named !== null && named !== run.id)) {
    const hint = 'understudy backup list';
    throw new UnderstudyError('REFUSED', `${named ?? 'nothing'} is ${named === null ? '' : 'not '}under way`, { hint });
  }
  const ordered = await access.order((client, asking) => client.cancelBackup({ run: run.id }, asking), orderWithinMs);
  const ended = await followToEnd(call, access, ordered);
  if (terminal.json) terminal.printJson(ended);
  else
    terminal.print(
      `${ended.id}: ${ended.work} on ${ended.node} ${wasCancelled(ended) ? 'was cancelled' : 'ended before'}`,
    );
  return wasCancelled(ended) ? exitCodes.done : exitCodes.refused;
}
