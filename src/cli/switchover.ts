/**
 * `understudy switchover`: moves the primary, and shows how it goes.
 *
 * The cluster carries a switchover through by itself; this only asks for it and watches. Invariant: it is asked for with
 * the target that the preflight named, so that asking again after a lost answer can't move the primary twice.
 */
import { type Command, Option } from 'commander';
import type { Preflight, SwitchoverAnswer, SwitchoverRequest } from '../api/contract/orders.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { collect, duration, nodeName, wholeNumber } from './option-values.ts';
import { beginSwitchover } from './switchover-begin.ts';
import { followSwitchover } from './switchover-follow.ts';
import { Interruption } from './switchover-interruption.ts';
import { blockerLines, planLines, preflightLines } from './switchover-text.ts';

interface SwitchoverOptions extends CommonOptions {
  readonly to?: string;
  readonly forceAfter?: number;
  readonly withoutPooler?: readonly string[];
  readonly dryRun?: boolean;
  readonly pace: number;
}

/** A preflight asks PostgreSQL for its sessions; that may take a while on a busy server. */
const preflightWithinMs = 15_000;
const examples = `
Examples:
  understudy switchover --dry-run
  understudy switchover
  understudy switchover --to pg1 --force-after 10
  understudy switchover --without-pooler web3

Ctrl-C once asks the cluster to undo it, and waits how it ends; twice leaves it alone: it finishes or undoes by itself.
Exit code 0: done; 1: undone, or its end is not known; 3: something blocks it, and nothing was begun.
`;

export function declareSwitchover(program: Command, perform: Perform): void {
  program
    .command('switchover')
    .summary('move the primary; no transaction fails')
    .description('Moves the primary to a standby: poolers hold new transactions for a moment, and nothing fails.')
    .option('--to <node>', 'the new primary; the best standby if left out', nodeName)
    .option('--force-after <seconds>', 'end the sessions that still hold it up after so long', duration)
    .option('--without-pooler <node>', 'go on without this pooler; may be repeated', collect)
    .option('--dry-run', 'only say what would be done, and what blocks it')
    .addOption(
      new Option('--pace <ms>', 'wait so long at the start of each phase, to watch it')
        .argParser(wholeNumber)
        .default(0),
    )
    .option('--json', 'print the receipt as JSON; the preflight when it is refused or dry')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<SwitchoverOptions>();
      return perform(options, (call) => switchover(call, options));
    });
}

async function switchover(call: Call, options: SwitchoverOptions): Promise<number> {
  const { terminal } = call;
  const wish: SwitchoverRequest = {
    to: options.to ?? null,
    forceAfterMs: options.forceAfter ?? null,
    without: options.withoutPooler ?? [],
    dryRun: true,
    paceMs: options.pace,
  };
  const access = await call.cluster();
  await access.status();
  const checked = await access.order((client, asking) => client.switchover(wish, asking), preflightWithinMs);
  if (checked.outcome === 'refused') return refused(call, checked.preflight);
  const { preflight } = checked;
  if (!terminal.json) terminal.print(...preflightLines(preflight, terminal.paint));
  if (options.dryRun === true) return showPlan(call, checked, wish.forceAfterMs);
  return await carryOut(call, access, { ...wish, to: preflight.to, dryRun: false });
}

function showPlan({ terminal }: Call, checked: SwitchoverAnswer, forceAfterMs: number | null): number {
  if (terminal.json) terminal.printJson(checked.preflight);
  else terminal.print('Would be done:', ...planLines(checked.preflight, forceAfterMs));
  return exitCodes.done;
}

async function carryOut(call: Call, access: ClusterAccess, request: SwitchoverRequest): Promise<number> {
  const interruption = new Interruption(call, access);
  const begun = await beginSwitchover(call, access, request);
  if (begun.outcome === 'refused') return refused(call, begun.preflight);
  interruption.begun(begun.operation);
  return await followSwitchover(call, access, begun, interruption);
}

function refused({ terminal }: Call, preflight: Preflight): number {
  if (terminal.json) terminal.printJson(preflight);
  else terminal.print(...blockerLines(preflight, terminal.paint));
  const count = preflight.blockers.length;
  const target = preflight.to === null ? 'the switchover' : `the switchover to ${preflight.to}`;
  terminal.fail(
    new UnderstudyError(
      'REFUSED',
      `${target} was refused: ${count === 1 ? 'one thing blocks it' : `${count} things block it`}; nothing was changed`,
      {
        hint: 'see the reasons given above',
      },
    ),
  );
  return exitCodes.refused;
}
