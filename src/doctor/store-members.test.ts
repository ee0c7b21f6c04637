import { describe, expect, it } from 'vitest';
import { judgeMembers, type MemberAnswer } from './store-members.ts';

const answers = (...troubles: readonly (string | null)[]): readonly MemberAnswer[] =>
  troubles.map((trouble, index) => ({ endpoint: `https://10.0.0.${index + 1}:2379`, trouble }));

describe("the store's members", () => {
  it.each([
    ['all of three', answers(null, null, null), 'ok', '3 of 3 answer'],
    ['the only one', answers(null), 'ok', '1 of 1 answer; the store bears the loss of none'],
    ['two of three', answers(null, 'refused', null), 'warning', '2 of 3 answer; https://10.0.0.2:2379: refused'],
    ['one of two', answers(null, 'late'), 'failure', '1 of 2 answer; https://10.0.0.2:2379: late'],
    ['none', answers('late'), 'failure', '0 of 1 answer; https://10.0.0.1:2379: late'],
  ])('%s', (_, all, verdict, text) => {
    expect(judgeMembers(all)).toMatchObject({ check: 'store members', verdict, text });
  });
});
