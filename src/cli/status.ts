/** `understudy status`: how the cluster is. */
import type { Command } from 'commander';
import type { Receipt } from '../core/receipt.ts';
import type { ClusterStatus } from '../core/status.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { statusLines } from './status-text.ts';

interface StatusOptions extends CommonOptions {
  readonly watch?: boolean;
}

const watchEveryMs = 1_000;
const examples = `
Examples:
  understudy status
  understudy status --watch
  understudy status --json | jq -r .verdict
`;

export function declareStatus(program: Command, perform: Perform): void {
  program
    .command('status')
    .summary('how the cluster is: roles, lag, poolers, what is left to do')
    .description(
      'Shows the cluster as one of its agents sees it, the verdict first: HEALTHY, DEGRADED, STARTING or DOWN.',
    )
    .option('--json', 'print it as JSON')
    .option('-w, --watch', 'draw it again each second, until Ctrl-C')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<StatusOptions>();
      return perform(options, (call) => (options.watch === true ? watchStatus(call) : showStatus(call)));
    });
}

async function showStatus(call: Call): Promise<number> {
  const access = await call.cluster();
  const status = await access.status();
  await printStatus(call, access, status);
  return exitCodes.done;
}

async function printStatus(call: Call, access: ClusterAccess, status: ClusterStatus): Promise<void> {
  const { terminal } = call;
  if (terminal.json) return terminal.printJson(status);
  terminal.print(
    ...statusLines({ status, receipt: await lastReceipt(access, status), nowMs: Date.now(), paint: terminal.paint }),
  );
}

/** Of use, but not worth failing for. */
async function lastReceipt(access: ClusterAccess, status: ClusterStatus): Promise<Receipt | null> {
  const id = status.lastReceipt;
  if (id === null) return null;
  try {
    return await access.ask((client, asking) => client.receipt(id, asking));
  } catch (error) {
    if (isUnderstudyError(error)) return null;
    throw error;
  }
}

/** Until Ctrl-C; also while no agent answers. A person sees one picture, a file or a pipe one block after another. */
export async function watchStatus(call: Call): Promise<number> {
  const { terminal, signal } = call;
  const access = await call.cluster();
  while (!signal.aborted) {
    const begun = performance.now();
    let show: () => Promise<void> | void;
    try {
      const status = await access.status();
      show = () => printStatus(call, access, status);
    } catch (error) {
      if (signal.aborted) break;
      // Who may not ask will not be allowed in a second either.
      if (!isUnderstudyError(error) || error.retry === 'never') throw error;
      show = () => (terminal.json ? terminal.fail(error) : terminal.print(describeError(error)));
    }
    if (terminal.live) terminal.raw('\u001b[H\u001b[J');
    else if (!terminal.json) terminal.print(`--- ${new Date().toISOString()}`);
    await show();
    await call.sleep(Math.max(0, watchEveryMs - (performance.now() - begun)));
  }
  return exitCodes.done;
}
