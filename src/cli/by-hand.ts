/**
 * `understudy by-hand`: how to run this very cluster when its store is lost for good, and back again.
 *
 * Invariant: nothing is performed while the store still answers an agent; whoever performs a step has typed yes to it.
 */
import { type Command, InvalidArgumentError } from 'commander';
import { type StepName, stepNames } from '../by-hand/step-names.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { confirm } from './confirmation.ts';

interface ByHandOptions extends CommonOptions {
  readonly to?: string;
  readonly perform?: StepName | 'all';
  readonly yes?: boolean;
}

/** An agent that has heard from its store within this time has one. */
const storeSilentAfterMs = 15_000;
const examples = `
Examples:
  understudy by-hand                       print the steps, with this cluster's own paths and commands
  understudy by-hand --perform stop        carry one out, on this machine
  understudy by-hand --perform all --yes   all of them: only on a stage, whose nodes are all here

The steps: ${stepNames.join(', ')}. On servers each is carried out on every node before the next one begins, and
choose is compared by a person. Exit code 3: refused, since the store answers or an earlier step is missing.
`;

export function declareByHand(program: Command, perform: Perform): void {
  program
    .command('by-hand')
    .summary('when the store is lost for good: run the cluster by hand, and give it back')
    .description('Prints how to run this very cluster without store and agents, in the safe order; carries steps out.')
    .option('--perform <step>', 'carry out this step on this machine, or all', stepName)
    .option('--to <node>', 'the node to promote; the furthest if left out')
    .option('--yes', 'do not ask')
    .option('--json', 'print it as JSON')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<ByHandOptions>();
      return perform(options, (call) => byHand(call, options));
    });
}

function stepName(value: string): StepName | 'all' {
  const found = [...stepNames, 'all' as const].find((name) => name === value);
  if (found === undefined) throw new InvalidArgumentError(`It is one of ${stepNames.join(', ')}, or all.`);
  return found;
}

async function byHand(call: Call, options: ByHandOptions): Promise<number> {
  const [{ findPlace }, { manual, manualLines }, { keeperPid }] = await Promise.all([
    import('../by-hand/place.ts'),
    import('./by-hand-text.ts'),
    import('../stage/keeper.ts'),
  ]);
  const place = await findPlace(call.io.cwd);
  const to = options.to ?? null;
  if (options.perform === undefined) {
    const steps = manual(place, place.stage === null ? null : keeperPid(place.stage), to);
    if (call.terminal.json) call.terminal.printJson(steps);
    else call.terminal.print(...manualLines(steps, place));
    return exitCodes.done;
  }
  if (options.perform === 'all' && place.stage === null) {
    throw new UnderstudyError(
      'REFUSED',
      'the other nodes are other machines: each step is carried out on all, one by one',
    );
  }
  return await carryOut(call, options.perform === 'all' ? stepNames : [options.perform], options);
}

async function carryOut(call: Call, steps: readonly StepName[], options: ByHandOptions): Promise<number> {
  const { terminal, signal } = call;
  const [{ findPlace }, { performStep }, { createLinuxClock }] = await Promise.all([
    import('../by-hand/place.ts'),
    import('../by-hand/performance.ts'),
    import('../timing/linux-clock.ts'),
  ]);
  // Given back, the cluster has its store again; until then whoever has one must not be interfered with.
  await refuseWhileStoreAnswers(call);
  const place = await findPlace(call.io.cwd);
  const said: string[] = [];
  const say = (line: string): void => {
    said.push(line);
    if (!terminal.json) terminal.print(`  ${line}`);
  };
  for (const step of steps) {
    if (!terminal.json) terminal.print(terminal.paint('bold', step));
    await confirm(call, question(step), options.yes === true);
    await performStep(step, {
      place,
      to: options.to ?? null,
      clock: createLinuxClock(),
      signal,
      directory: call.io.cwd,
      say,
    });
  }
  if (terminal.json) terminal.printJson({ performed: steps, said });
  return exitCodes.done;
}

function question(step: StepName): string {
  switch (step) {
    case 'stop':
      return 'Every agent and every PostgreSQL of this machine ends. No other node may run either.';
    case 'choose':
      return 'Nothing is changed by it.';
    case 'promote':
      return 'Nobody else may be writable: every other database node is stopped or switched off.';
    case 'poolers':
      return 'Applications write to the new primary.';
    case 'store':
      return 'The old store is given up for good.';
    case 'return':
      return 'Agents act again.';
  }
}

async function refuseWhileStoreAnswers(call: Call): Promise<void> {
  let status: { readonly from: string; readonly storeAgeMs: number | null };
  try {
    status = await (await call.cluster()).status();
  } catch (error) {
    // No agent answers, or there is no context to ask any: that is what this is for.
    if (isUnderstudyError(error)) return;
    throw error;
  }
  if (status.storeAgeMs === null || status.storeAgeMs > storeSilentAfterMs) return;
  throw new UnderstudyError('REFUSED', `the store answers the agent of ${status.from}: this is for when it is lost`, {
    hint: 'people can work undisturbed with: understudy hands-off --for 2h',
  });
}
