/**
 * Carries the steps of `by-hand` out one after the other, each once a person has said yes to it.
 *
 * Invariant: "refused" is said only while nothing was changed. Once a step was performed, or a command of one was given,
 * whatever ends the rest is a failure (exit code 1), and what was performed is named.
 */
import type { StepName } from '../by-hand/step-names.ts';
import { exitCodeFor, exitCodes } from '../errors/exit-codes.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';
import { confirm } from './confirmation.ts';

export interface StepVoice {
  readonly say: (line: string) => void;
  /** A command that changes something is about to be given. */
  readonly typed: (command: string) => void;
}

export interface StepsRequest {
  readonly steps: readonly StepName[];
  readonly yes: boolean;
  readonly perform: (step: StepName, voice: StepVoice) => Promise<void>;
}

export async function carryOutSteps(call: Call, { steps, yes, perform }: StepsRequest): Promise<number> {
  const { terminal } = call;
  const said: string[] = [];
  const performed: StepName[] = [];
  let begun: StepName | null = null;
  const say = (line: string): void => {
    said.push(line);
    if (!terminal.json) terminal.print(`  ${line}`);
  };
  try {
    for (const step of steps) {
      if (!terminal.json) terminal.print(terminal.paint('bold', step));
      const question = questionOf(step);
      if (question !== null) await confirm(call, question, yes);
      const typed = (command: string): void => {
        begun = step;
        say(`$ ${command}`);
      };
      await perform(step, { say, typed });
      performed.push(step);
      begun = null;
    }
  } catch (error) {
    if (!changes(performed) && begun === null) throw error;
    if (terminal.json) terminal.printJson({ performed, said });
    terminal.fail(brokenOff(error, performed, begun));
    return exitCodes.failed;
  }
  if (terminal.json) terminal.printJson({ performed, said });
  return exitCodes.done;
}

/** What a person is asked; `null`: the step changes nothing, so that nobody has to be asked. */
function questionOf(step: StepName): string | null {
  switch (step) {
    case 'stop':
      return 'Every agent and every PostgreSQL of this machine ends. No other node may run either.';
    case 'choose':
      return null;
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

function changes(performed: readonly StepName[]): boolean {
  return performed.some((step) => questionOf(step) !== null);
}

function brokenOff(error: unknown, performed: readonly StepName[], begun: StepName | null): UnderstudyError {
  const parts = [
    ...(performed.length === 0 ? [] : [`performed before that: ${performed.join(', ')}`]),
    ...(begun === null ? [] : [`${begun} was begun`]),
  ];
  // A code that stands for "nothing was done" would be believed.
  const code = isUnderstudyError(error) && exitCodeFor(error) === exitCodes.failed ? error.code : 'PROCESS_FAILED';
  const hint = isUnderstudyError(error) ? error.hint : 'see its output';
  return new UnderstudyError(code, `${describeError(error)}; ${parts.join('; ')}`, { cause: error, hint });
}
