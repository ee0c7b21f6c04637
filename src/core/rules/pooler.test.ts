/** An app node's agent through the course of things; what holds in every course: pooler-safety.test.ts. */
import { describe, expect, it } from 'vitest';
import { limitMs, Rehearsal, type Said, topology } from '../../../test/fixtures/pooler-rehearsal.ts';
import { pauseHoldMs } from './pooler-gate.ts';
import type { ReachAnswer } from './pooler-memory.ts';

type Step = readonly [event: string | ((rehearsal: Rehearsal) => void), did: string];

const say =
  (agent: string, term: number, primary: string | null, more: Partial<Said> = {}) =>
  (rehearsal: Rehearsal): void =>
    rehearsal.say(agent, { term, primary, ...more });

const reach =
  (node: string, answer: ReachAnswer) =>
  (rehearsal: Rehearsal): void =>
    rehearsal.knocked(node, answer);

function play(steps: readonly Step[]): Rehearsal {
  const rehearsal = new Rehearsal();
  for (const [index, [event, did]] of steps.entries()) {
    if (typeof event === 'function') event(rehearsal);
    else if (event === 'drained') rehearsal.drained();
    else if (event === 'died') rehearsal.died();
    else rehearsal.nowMs += Number(event);
    expect(`${index}: ${rehearsal.settle().did.join(', ')}`).toBe(`${index}: ${did}`);
  }
  return rehearsal;
}

const s1 = { pause: 'S1' } as const;
const stopped = { pause: 'S1', writable: false } as const;

describe('decidePooler', () => {
  it.each<[string, readonly Step[]]>([
    [
      'a switchover: pause, drain, handover, promotion, resume, and the old primary back for reads',
      [
        [say('db1', 1, 'db1', { standbys: ['db2'] }), 'point db1'],
        [say('db2', 1, 'db1', { standbys: ['db2'] }), ''],
        [say('db1', 1, 'db1', s1), 'pause S1'],
        [say('db2', 1, 'db1', s1), ''],
        ['drained', ''],
        [say('db1', 1, 'db1', stopped), ''],
        [say('db2', 2, 'db2', { writable: false }), ''],
        [say('db2', 2, 'db2'), 'resume db2'],
        [say('db1', 1, 'db1', stopped), ''],
        [say('db2', 2, 'db2', { ended: 'S1' }), ''],
        [say('db1', 2, 'db2', { ended: 'S1' }), ''],
        [say('db2', 2, 'db2', { ended: 'S1', standbys: ['db1'] }), 'point db2'],
      ],
    ],
    [
      'undone before the stop: resumes towards the primary that never stopped',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db1', 1, 'db1', s1), 'pause S1'],
        ['drained', ''],
        [say('db1', 1, 'db1', { ended: 'S1' }), 'resume db1'],
        [say('db1', 1, 'db1', s1), ''],
      ],
    ],
    [
      'undone after the stop: waits until the old primary accepts writes again, whatever others still believe',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db2', 1, 'db1'), ''],
        [say('db1', 1, 'db1', s1), 'pause S1'],
        ['drained', ''],
        [say('db1', 1, 'db1', stopped), ''],
        [say('db1', 1, 'db1', { ended: 'S1', writable: false }), ''],
        [say('db2', 1, 'db1', { ended: 'S1' }), ''],
        [say('db1', 1, 'db1', { ended: 'S1' }), 'resume db1'],
      ],
    ],
    [
      'withdrawn without a word: the agent that showed it shows it no more',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db2', 1, 'db1'), ''],
        [say('db1', 1, 'db1', s1), 'pause S1'],
        ['drained', ''],
        [say('db2', 1, 'db1'), ''],
        [say('db1', 1, 'db1'), 'resume db1'],
      ],
    ],
    [
      'the driver and every agent die: shut until the limit and the hold are over, then the last known primary',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db1', 1, 'db1', s1), 'pause S1'],
        ['drained', ''],
        [say('db1', 1, 'db1', stopped), ''],
        [String(limitMs), ''],
        [String(pauseHoldMs - 1), ''],
        ['1', 'resume db1'],
        [say('db1', 1, 'db1', s1), ''],
      ],
    ],
    [
      'the limit passes while a writable primary is known: no need to hold',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db1', 1, 'db1', s1), 'pause S1'],
        ['drained', ''],
        [String(limitMs), ''],
        [say('db1', 1, 'db1', s1), 'resume db1'],
      ],
    ],
    [
      'a drain that does not end is given up at the limit',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db1', 1, 'db1', s1), 'pause S1'],
        [String(limitMs - 1), ''],
        ['1', 'resume db1'],
      ],
    ],
    [
      'late, repeated and reordered messages shut nothing again, and lead to no lower term',
      [
        [say('db1', 1, 'db1', s1), 'start-shut db1, pause S1'],
        ['drained', ''],
        [say('db2', 2, 'db2'), 'resume db2'],
        [say('db3', 1, 'db1', s1), ''],
        [say('db1', 1, 'db1'), ''],
        [say('db2', 2, 'db2', { pause: 'S1', pauseTerm: 1 }), ''],
        [say('db3', 3, 'db3'), 'point db3'],
        [say('db2', 2, 'db2', { pause: 'S2' }), ''],
      ],
    ],
    [
      'left out of a pause',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db1', 1, 'db1', { ...s1, without: ['web1'] }), ''],
        [say('db2', 2, 'db2'), 'point db2'],
      ],
    ],
    [
      'drained anew after a death, and handed over meanwhile: waits until the new primary accepts writes',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db1', 1, 'db1', s1), 'pause S1'],
        ['drained', ''],
        ['died', 'start-shut db1, pause S1'],
        [say('db2', 2, 'db2', { ended: 'S1', writable: false }), ''],
        ['drained', ''],
        [say('db2', 2, 'db2', { ended: 'S1' }), 'resume db2'],
      ],
    ],
    [
      'the pooler dies in the pause: it comes back shut, and the clock of the pause runs on',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db1', 1, 'db1', s1), 'pause S1'],
        ['drained', ''],
        ['1000', ''],
        ['died', 'start-shut db1, pause S1'],
        ['drained', ''],
        [String(limitMs + pauseHoldMs - 1_001), ''],
        ['1', 'resume db1'],
      ],
    ],
    [
      'the pooler dies while open',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        ['died', 'point db1'],
      ],
    ],
    [
      'a new term before its primary accepts writes: writers wait for it',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db2', 2, 'db2', { writable: false }), 'hold'],
        [say('db1', 1, 'db1'), ''],
        [say('db2', 2, 'db2'), 'resume db2'],
      ],
    ],
    [
      'the primary says itself that it is gone: writers wait, and go on when it says that it is back and opens',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db2', 1, 'db1'), ''],
        [say('db1', 1, 'db1', { writable: false }), 'hold'],
        [say('db1', 1, 'db1'), ''],
        [reach('db1', 'refused'), ''],
        [reach('db1', 'answers'), 'resume db1'],
      ],
    ],
    [
      'the host of the primary is gone: a port that refuses is a loss, what others go on saying is not worth much',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [reach('db1', 'refused'), 'hold'],
        [say('db2', 1, 'db1'), ''],
        ['200', ''],
        [reach('db1', 'refused'), ''],
        [say('db3', 2, 'db3', { writable: false }), ''],
        [say('db3', 2, 'db3'), 'resume db3'],
        [say('db2', 1, 'db1'), ''],
      ],
    ],
    [
      'no answer from the primary while its agent goes on: it may be slow, and nobody is held',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [reach('db1', 'silent'), ''],
        ['1499', ''],
        [reach('db1', 'silent'), ''],
        ['1', 'hold'],
        [say('db1', 1, 'db1'), ''],
        [reach('db1', 'answers'), 'resume db1'],
      ],
    ],
    [
      'an agent that is silent, or restarts, says nothing of its PostgreSQL',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db2', 1, 'db1'), ''],
        ['2500', ''],
        [say('db2', 1, 'db1', { writable: false }), ''],
        [reach('db1', 'answers'), ''],
        ['2500', ''],
        [say('db2', 1, 'db1', { writable: false }), ''],
      ],
    ],
    [
      'a lease that was released, and nobody elected: held until the limit, once, then the last known primary',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db1', 1, null), 'hold'],
        ['59999', ''],
        [say('db1', 1, null), ''],
        ['1', 'resume db1'],
        [say('db1', 1, null), ''],
        [say('db2', 2, 'db2'), 'point db2'],
        [say('db2', 2, 'db2', { writable: false }), 'hold'],
      ],
    ],
    [
      'the pooler dies while it is held: it comes back held, and the clock of the hold runs on',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db1', 1, 'db1', { writable: false }), 'hold'],
        ['59000', ''],
        ['died', 'start-shut db1, hold'],
        ['999', ''],
        ['1', 'resume db1'],
      ],
    ],
    [
      'left out of a pause: its writers wait for the new primary',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db1', 1, 'db1', { ...s1, without: ['web1'] }), ''],
        [say('db1', 1, 'db1', { ...stopped, without: ['web1'] }), 'hold'],
        [say('db2', 2, 'db2', { ended: 'S1' }), 'resume db2'],
      ],
    ],
    [
      'nobody is heard any more: everything stays',
      [
        [say('db1', 1, 'db1', { standbys: ['db2'] }), 'point db1'],
        ['3600000', ''],
      ],
    ],
    [
      'another cluster is not listened to',
      [
        [
          (rehearsal) =>
            rehearsal.sightings.set('db9', {
              agent: 'db9',
              topology: { ...topology('db9', { term: 9, primary: 'db3' }), cluster: 'other' },
              atMs: rehearsal.nowMs,
            }),
          '',
        ],
        [say('db1', 1, 'db1'), 'point db1'],
      ],
    ],
    [
      'a second switchover after the first',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db1', 1, 'db1', s1), 'pause S1'],
        ['drained', ''],
        [say('db2', 2, 'db2', { ended: 'S1' }), 'resume db2'],
        [say('db2', 2, 'db2', { pause: 'S2', ended: 'S1' }), 'pause S2'],
        ['drained', ''],
        [say('db1', 3, 'db1', { ended: 'S2' }), 'resume db1'],
      ],
    ],
  ])('%s', (_, steps) => {
    play(steps);
  });
});
