/**
 * `understudy by-hand`: how to run this very cluster when its store is lost for good, and back again.
 *
 * Invariant: nothing is performed while the store still answers an agent, or while an agent can't say whether it does.
 */
import { type Command, InvalidArgumentError } from 'commander';
import { type StepName, stepNames } from '../by-hand/step-names.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { carryOutSteps } from './by-hand-steps.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { nodeName } from './option-values.ts';
import { refuseWhileStoreAnswers } from './store-silence.ts';

interface ByHandOptions extends CommonOptions {
  readonly to?: string;
  readonly perform?: StepName | 'all';
  readonly yes?: boolean;
}

const examples = `
Examples:
  understudy by-hand                       print the steps, with this cluster's own paths and commands
  understudy by-hand --perform stop        carry one out, on this machine
  understudy by-hand --perform all --yes   all of them: only on a stage, whose nodes are all here

The steps: ${stepNames.join(', ')}. On servers each is carried out on every node before the next one begins, and
choose is compared by a person. Exit code 3: refused, since the store answers, an agent can't say whether it does, or an
earlier step is missing; nothing was changed. Exit code 1: something was done, and the rest was not; it says what.
`;

export function declareByHand(program: Command, perform: Perform): void {
  program
    .command('by-hand')
    .summary('when the store is lost for good: run the cluster by hand, and give it back')
    .description('Prints how to run this very cluster without store and agents, in the safe order; carries steps out.')
    .option('--perform <step>', 'carry out this step on this machine, or all', stepName)
    .option('--to <node>', 'the node to promote; the furthest if left out', nodeName)
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
  if (options.perform !== undefined) return await carryOut(call, options.perform, options);
  const [{ findPlace }, { manual, manualLines }, { keeperPid }] = await Promise.all([
    import('../by-hand/place.ts'),
    import('./by-hand-text.ts'),
    import('../stage/keeper.ts'),
  ]);
  const place = await findPlace(call.io.cwd);
  const steps = manual(place, place.stage === null ? null : keeperPid(place.stage), options.to ?? null);
  if (call.terminal.json) call.terminal.printJson(steps);
  else call.terminal.print(...manualLines(steps, place));
  return exitCodes.done;
}

async function carryOut(call: Call, step: StepName | 'all', options: ByHandOptions): Promise<number> {
  const [{ findContextFile }, { findPlace }, { performStep }, { findStage }, { createLinuxClock }] = await Promise.all([
    import('./context.ts'),
    import('../by-hand/place.ts'),
    import('../by-hand/performance.ts'),
    import('../stage/record.ts'),
    import('../timing/linux-clock.ts'),
  ]);
  const { signal } = call;
  const { cwd: directory } = call.io;
  if (step === 'all' && findStage(directory) === null) {
    throw new UnderstudyError(
      'REFUSED',
      'the other nodes are other machines: each step is carried out on all, one by one',
    );
  }
  // Given back, the cluster has its store again; until then whoever has one must not be interfered with.
  // Where no cluster is named, there is nobody to ask: that is what this is for.
  const named = findContextFile({ named: options.context, io: call.io });
  if (named !== null) await refuseWhileStoreAnswers(await call.cluster());
  const place = await findPlace(directory);
  const clock = createLinuxClock();
  return await carryOutSteps(call, {
    steps: step === 'all' ? stepNames : [step],
    yes: options.yes === true,
    perform: (one, voice) => performStep(one, { place, to: options.to ?? null, clock, signal, directory, ...voice }),
  });
}
