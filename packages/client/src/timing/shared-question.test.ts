import { expect, it } from 'vitest';
import { SharedQuestion } from './shared-question.ts';

/** Answers by hand, in the order in which it was asked. */
function askedByHand(): { readonly question: SharedQuestion<string>; readonly answers: ((answer: string) => void)[] } {
  const answers: ((answer: string) => void)[] = [];
  return { question: new SharedQuestion(() => new Promise((resolve) => answers.push(resolve))), answers };
}

it('shares with nobody who asks after it was begun', async () => {
  const { question, answers } = askedByHand();
  const first = question.answer();
  const second = question.answer();
  const third = question.answer();
  expect(answers).toHaveLength(1);
  answers[0]?.('before');
  expect(await first).toBe('before');
  expect(answers).toHaveLength(2);
  answers[1]?.('after');
  expect(await Promise.all([second, third])).toEqual(['after', 'after']);
  expect(answers).toHaveLength(2);
});

it('begins a new one for whoever asks during the shared one, and after all', async () => {
  const { question, answers } = askedByHand();
  const first = question.answer();
  const second = question.answer();
  answers[0]?.('1');
  await first;
  const third = question.answer();
  answers[1]?.('2');
  expect(await second).toBe('2');
  answers[2]?.('3');
  expect(await third).toBe('3');
  const fourth = question.answer();
  expect(answers).toHaveLength(4);
  answers[3]?.('4');
  expect(await fourth).toBe('4');
});
