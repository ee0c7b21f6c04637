/** `understudy backup prove`: restores a moment on a node that serves nobody, looks through it, and says what it found. */
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';

interface ProveOptions extends CommonOptions {
  readonly to?: string;
  readonly on?: string;
  readonly wait: boolean;
}

const orderWithinMs = 10_000;

const help = `
Examples:
  understudy backup prove
  understudy backup prove --to "2 d ago" --on pg1

Without --to it is any moment that can be recovered to, or the one that could not be restored the last time. The restored server is
recovered to it, its heartbeat asserted, every table and index checked by amcheck, every row read; then everything is removed.
The primary does it only where it is the only database node, and is named. Exit code 1: the proof failed; 3: it could not be ordered.
`;

export function declareProve(backup: Command, perform: Perform): void {
  backup
    .command('prove')
    .summary('restore some moment on a standby, and look through it')
    .description(
      'Proves that the backups can be restored: brings a moment back on a standby, and looks through all of it.',
    )
    .option('--to <moment>', 'this moment, such as "2026-11-19 14:00" or "2 h ago"')
    .option('--on <node>', 'this node does it')
    .option('--no-wait', 'only order it')
    .option('--json', 'print it as JSON')
    .addHelpText('after', help)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<ProveOptions>();
      return perform(options, (call) => prove(call, options));
    });
}

/** Throws PROOF_FAILED. */
async function prove(call: Call, { on, to, wait }: ProveOptions): Promise<number> {
  const { terminal } = call;
  const moment = to === undefined ? undefined : await momentOf(to);
  const access = await call.cluster();
  const request = { work: 'proof', node: on, moment } as const;
  const ordered = await access.order((client, asking) => client.orderBackup(request, asking), orderWithinMs);
  if (!wait) {
    if (terminal.json) terminal.printJson(ordered);
    else terminal.print(`${ordered.id}: a proof was ordered of ${ordered.node}`);
    return exitCodes.done;
  }
  const [{ followToEnd }, { proofLines }] = await Promise.all([
    import('./backup-follow.ts'),
    import('./proof-text.ts'),
  ]);
  const run = await followToEnd(call, access, ordered);
  if (terminal.json) {
    terminal.printJson(run);
    return run.state === 'done' ? exitCodes.done : exitCodes.failed;
  }
  terminal.print(...proofLines(run));
  if (run.state === 'done') {
    terminal.print(`${run.id}: proven: ${run.outcome}`);
    return exitCodes.done;
  }
  throw new UnderstudyError('PROOF_FAILED', `${run.id} on ${run.node}: ${run.outcome ?? 'no reason given'}`);
}

/** ISO 8601. Throws REQUEST_INVALID. */
async function momentOf(text: string): Promise<string> {
  const [{ parseTarget }, { momentsOf }, { formatMoment }] = await Promise.all([
    import('../core/backups/target.ts'),
    import('../timing/local-time.ts'),
    import('../core/backups/moments.ts'),
  ]);
  const parsed = parseTarget(text, { nowMs: Date.now(), momentsOf });
  if ('refused' in parsed) throw new UnderstudyError('REQUEST_INVALID', parsed.refused);
  if (parsed.target.type === 'time') return formatMoment(parsed.target.atMs);
  throw new UnderstudyError('REQUEST_INVALID', `${text} is no time, and a proof is of one: its heartbeat is asserted`);
}
