/** One line of the table of faults: what the turns of a scenario came to, together. */
import type { Outcome } from './fault-turn.ts';
import { spread } from './figures.ts';

/** `bad`: how many turns had something in them that may not be, or came to no outcome at all. */
export function tableRow(scenario: string, outcomes: readonly Outcome[], bad: number) {
  const lane = (name: 'local' | 'replicated') => {
    const all = outcomes.map((outcome) => outcome[name]);
    const sum = (figure: 'acknowledged' | 'failed' | 'unknown' | 'lost') =>
      all.reduce((total, one) => total + one[figure], 0);
    return {
      gapMs: spread(all.map(({ gapMs }) => gapMs)),
      acknowledged: sum('acknowledged'),
      failed: sum('failed'),
      unknown: sum('unknown'),
      lost: sum('lost'),
      because: added(all.map(({ because }) => because)),
    };
  };
  return {
    scenario,
    times: outcomes.length,
    moved: outcomes.filter(({ moved }) => moved).length,
    ...(outcomes.length === 0
      ? {}
      : {
          local: lane('local'),
          replicated: lane('replicated'),
          reported: outcomes.reduce((sum, one) => sum + one.reported, 0),
          reportedTooFew: outcomes.filter((one) => one.reported < one.local.lost).length,
          redundantMs: spread(outcomes.map(({ redundantMs }) => redundantMs)),
          runnable: Math.max(...outcomes.map(({ runnable }) => runnable)),
        }),
    bad,
  };
}

function added(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [text, count] of counts.flatMap((one) => Object.entries(one))) sums[text] = (sums[text] ?? 0) + count;
  return sums;
}
