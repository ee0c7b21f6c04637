import { expect, test } from 'vitest';
import { type StepName, stepNames } from '../by-hand/step-names.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { carryOutSteps, type StepVoice } from './by-hand-steps.ts';
import { withCall } from './call.ts';

interface Scene {
  readonly steps?: readonly StepName[];
  readonly yes?: boolean;
  readonly json?: boolean;
  /** What is typed at each question. */
  readonly answers?: readonly string[];
  readonly perform?: (step: StepName, voice: StepVoice) => void;
}

async function carryOut({ steps = stepNames, yes = false, json = false, answers = [], perform }: Scene) {
  const written = { out: '', err: '' };
  const questions: string[] = [];
  const left = [...answers];
  const io = {
    stdout: { write: (text: string) => (written.out += text) },
    stderr: { write: (text: string) => (written.err += text) },
    env: {},
    cwd: '/',
    ask: async (question: string) => {
      questions.push(question);
      return left.shift() ?? '';
    },
  };
  const exit = await withCall(io, { json }, (call) =>
    carryOutSteps(call, { steps, yes, perform: async (step, voice) => perform?.(step, voice) }),
  ).catch((error: unknown) => error);
  return { exit, questions, ...written };
}

test('each step is asked for, but for the one that changes nothing', async () => {
  const { exit, questions } = await carryOut({ answers: stepNames.map(() => 'yes') });
  expect(exit).toBe(exitCodes.done);
  expect(questions).toHaveLength(stepNames.length - 1);
  expect((await carryOut({ steps: ['choose'], json: true })).exit).toBe(exitCodes.done);
});

test('what is refused before anything was done is a refusal', async () => {
  const first = await carryOut({ answers: ['no'] });
  expect(first.exit).toMatchObject({ code: 'REFUSED', message: 'not confirmed' });
  const refuse = (): never => {
    throw new UnderstudyError('REFUSED', 'agents still run');
  };
  expect((await carryOut({ yes: true, perform: refuse })).exit).toMatchObject({ code: 'REFUSED' });
  // Only looked at the nodes, and then was not let go on.
  expect((await carryOut({ steps: ['choose', 'promote'], answers: ['no'] })).exit).toMatchObject({ code: 'REFUSED' });
});

test('what is refused after a step was performed is a failure that names it', async () => {
  const { exit, err } = await carryOut({ answers: ['yes', 'no'] });
  expect(exit).toBe(exitCodes.failed);
  expect(err).toContain('not confirmed; performed before that: stop, choose\n');
});

test('a step that gave a command and then failed was begun', async () => {
  const perform = (_: StepName, { typed }: StepVoice): never => {
    typed('mv a b');
    throw new UnderstudyError('STORE_UNREACHABLE', 'the new store is silent');
  };
  const { exit, err, out } = await carryOut({ steps: ['return'], yes: true, json: true, perform });
  expect(exit).toBe(exitCodes.failed);
  expect(JSON.parse(out)).toEqual({ performed: [], said: ['$ mv a b'] });
  expect(JSON.parse(err)).toMatchObject({
    code: 'PROCESS_FAILED',
    message: 'the new store is silent; return was begun',
  });
});

test('what was performed is told as JSON', async () => {
  const perform = (step: StepName, { say }: StepVoice): void => say(`did ${step}`);
  const { exit, out } = await carryOut({ steps: ['stop', 'choose'], yes: true, json: true, perform });
  expect(exit).toBe(exitCodes.done);
  expect(JSON.parse(out)).toEqual({ performed: ['stop', 'choose'], said: ['did stop', 'did choose'] });
});
