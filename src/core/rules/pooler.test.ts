/** An app node's agent through the course of things; what holds in every course: pooler-safety.test.ts. */
import { describe, expect, it } from 'vitest';
import { limitMs, Rehearsal, type Said, topology } from '../../../test/fixtures/pooler-rehearsal.ts';
import { pauseHoldMs } from './pooler.ts';

type Step = readonly [event: string | ((rehearsal: Rehearsal) => void), did: string];

const say =
  (agent: string, term: number, primary: string | null, more: Partial<Said> = {}) =>
  (rehearsal: Rehearsal): void =>
    rehearsal.say(agent, { term, primary, ...more });

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
