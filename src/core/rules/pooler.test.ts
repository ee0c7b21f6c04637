import type { Topology } from '@understudy/client';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decidePooler, type PoolerAction, pauseHoldMs } from './pooler.ts';
import {
  noPoolerMemory,
  type PoolerGateView,
  type PoolerMemory,
  type PoolerView,
  type Sighting,
} from './pooler-memory.ts';

const nodes = ['db1', 'db2', 'db3'] as const;
const limitMs = 5_000;
const address = (node: string): string => `10.0.0.${node.slice(2)}`;

interface Said {
  readonly term: number;
  readonly primary: string | null;
  readonly writable?: boolean;
  readonly pause?: string | null;
  readonly pauseTerm?: number;
  readonly without?: readonly string[];
  readonly ended?: string | null;
  readonly standbys?: readonly string[];
}

function topology(from: string, said: Said): Topology {
  const member = (node: string) => ({ node, hostName: `${node}.test`, address: address(node), port: 5432 });
  return {
    version: 1,
    cluster: 'test',
    from,
    term: said.term,
    primary: said.primary === null ? null : { ...member(said.primary), writable: said.writable ?? true },
    standbys: (said.standbys ?? []).map((node) => ({ ...member(node), streaming: true, lagBytes: 0 })),
    pause: said.pause
      ? { operation: said.pause, term: said.pauseTerm ?? said.term, without: said.without ?? [], limitMs }
      : null,
    ended: said.ended ?? null,
    ageMs: 1,
  };
}

/** Plays the part of the agent: performs what is decided, at once, and keeps the clock. */
class Rehearsal {
  nowMs = 1_000;
  memory: PoolerMemory = noPoolerMemory;
  gate: PoolerGateView = { state: 'open' };
  process: PoolerView['process'] = 'stopped';
  loaded: PoolerView['loaded'] = null;
  readonly sightings = new Map<string, Sighting>();
  readonly done: PoolerAction[] = [];
  /** What was decided after each event, with the view that it was decided from. */
  onAction: (action: PoolerAction, view: PoolerView, memory: PoolerMemory) => void = () => {};

  say(agent: string, said: Said): void {
    this.sightings.set(agent, { agent, topology: topology(agent, said), atMs: this.nowMs });
  }

  view(): PoolerView {
    return {
      self: 'web1',
      cluster: 'test',
      nowMs: this.nowMs,
      sightings: [...this.sightings.values()],
      wanted: {
        poolers: { port: 6432, mode: 'transaction', poolSize: 5, maxClients: 50, queryWaitTimeoutS: 60 },
        applications: [{ name: 'shop', database: 'shop', rights: 'rw', nodes: ['web1'], poolSize: null }],
        listenAddress: '127.0.0.1',
      },
      gate: this.gate,
      process: this.process,
      strayPause: false,
      loaded: this.loaded,
    };
  }

  /** Until nothing more is to be done now; answers what was done, and when to look again. */
  settle(): { readonly did: readonly string[]; readonly lookAgainInMs: number } {
    const did: string[] = [];
    for (let round = 0; round < 10; round += 1) {
      const view = this.view();
      const decision = decidePooler(view, this.memory);
      this.memory = decision.memory;
      if (decision.actions.length === 0) return { did, lookAgainInMs: decision.lookAgainInMs };
      for (const action of decision.actions) {
        this.onAction(action, view, decision.memory);
        did.push(this.perform(action));
      }
    }
    throw new Error(`no end of actions: ${did.join(' ')}`);
  }

  perform(action: PoolerAction): string {
    if (action.do === 'pause') {
      const { operation, term } = action;
      const sinceMs = this.gate.state !== 'open' && this.gate.operation === operation ? this.gate.sinceMs : this.nowMs;
      this.gate = { state: 'draining', operation, term, sinceMs, limitMs: action.limitMs };
      return `pause ${operation}`;
    }
    this.process = 'running';
    this.loaded = action.configuration;
    if (action.do === 'resume' || action.gate === 'open') this.gate = { state: 'open' };
    const [writes] = action.configuration.aliases;
    const node = nodes.find((name) => address(name) === writes?.addresses[0]) ?? '?';
    return `${action.do === 'resume' ? 'resume' : action.gate === 'shut' ? 'start-shut' : 'point'} ${node}`;
  }

  drained(): void {
    if (this.gate.state !== 'open') this.gate = { ...this.gate, state: 'drained' };
  }

  /** As the adapter does at a time-out: everything was resumed. */
  drainFailed(): void {
    if (this.gate.state === 'draining') this.gate = { state: 'open' };
  }

  died(): void {
    this.process = 'stopped';
    this.loaded = null;
    if (this.gate.state === 'drained') this.gate = { ...this.gate, state: 'draining' };
  }
}

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
      'a new term before its primary accepts writes changes nothing yet',
      [
        [say('db1', 1, 'db1'), 'point db1'],
        [say('db2', 2, 'db2', { writable: false }), ''],
        [say('db1', 1, 'db1'), ''],
        [say('db2', 2, 'db2'), 'point db2'],
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

type Command =
  | { readonly kind: 'say'; readonly agent: string; readonly said: Said }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'drained' | 'drain-failed' | 'died' };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('say' as const),
      agent: fc.constantFrom(...nodes),
      said: fc.record({
        term: fc.nat(4),
        primary: fc.option(fc.constantFrom(...nodes)),
        writable: fc.boolean(),
        pause: fc.option(fc.constantFrom('S1', 'S2', 'S3')),
        pauseTerm: fc.nat(4),
        ended: fc.option(fc.constantFrom('S1', 'S2', 'S3')),
        standbys: fc.subarray([...nodes]),
      }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(4_000) }) },
  { weight: 3, arbitrary: fc.constantFrom<Command>({ kind: 'drained' }, { kind: 'drain-failed' }, { kind: 'died' }) },
);

function perform(rehearsal: Rehearsal, step: Command): void {
  switch (step.kind) {
    case 'say':
      rehearsal.say(step.agent, step.said);
      break;
    case 'wait':
      rehearsal.nowMs += step.ms;
      break;
    case 'drained':
      rehearsal.drained();
      break;
    case 'drain-failed':
      rehearsal.drainFailed();
      break;
    case 'died':
      rehearsal.died();
  }
}

describe('whatever agents say, in whatever order', () => {
  it('no lower term is acted on, a pause is served once, and a shut pooler opens only as it may', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const rehearsal = new Rehearsal();
        const served = new Set<string>();
        let actedTerm = 0;
        rehearsal.onAction = (action, view, memory) => {
          expect(memory.term).toBeGreaterThanOrEqual(actedTerm);
          actedTerm = memory.term;
          if (action.do === 'pause') {
            expect(action.term).toBeGreaterThanOrEqual(0);
            if (action.because.includes('pooler-died-while-paused')) return;
            expect(served.has(action.operation)).toBe(false);
            served.add(action.operation);
            return;
          }
          const target = action.configuration.aliases.find((alias) => alias.writes)?.addresses[0];
          expect(target).toBe(memory.primary?.address);
          const gate = view.gate;
          if (gate.state !== 'drained' || (action.do === 'configure' && action.gate === 'shut')) return;
          const isConfirmed = view.sightings.some(
            ({ topology: { term, primary } }) =>
              term >= gate.term && term >= memory.term && primary?.writable === true && primary.address === target,
          );
          const isHeldLongEnough = view.nowMs >= gate.sinceMs + gate.limitMs + pauseHoldMs;
          expect(isConfirmed || isHeldLongEnough).toBe(true);
        };
        for (const step of commands) {
          perform(rehearsal, step);
          rehearsal.settle();
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('a pooler is open again when the limit and the hold have passed, by looking again when it said', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), fc.boolean(), (commands, drains) => {
        const rehearsal = new Rehearsal();
        for (const step of commands) {
          perform(rehearsal, step);
          rehearsal.settle();
        }
        for (let pauses = 0; rehearsal.gate.state !== 'open'; pauses += 1) {
          // Several may follow one another, each of them once.
          expect(pauses).toBeLessThan(4);
          const { operation, sinceMs } = rehearsal.gate;
          const isShutFor = (gate: PoolerGateView): boolean => gate.state !== 'open' && gate.operation === operation;
          while (isShutFor(rehearsal.view().gate)) {
            expect(rehearsal.nowMs).toBeLessThan(sinceMs + limitMs + pauseHoldMs);
            if (drains) rehearsal.drained();
            rehearsal.nowMs += rehearsal.settle().lookAgainInMs;
            rehearsal.settle();
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
