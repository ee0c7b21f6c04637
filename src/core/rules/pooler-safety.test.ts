/** What holds whatever agents say, in whatever order, and whatever becomes of the pooler's process. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitMs, nodes, Rehearsal, type Said } from '../../../test/fixtures/pooler-rehearsal.ts';
import { pauseHoldMs } from './pooler-gate.ts';
import type { PoolerGateView, ReachAnswer } from './pooler-memory.ts';

type Command =
  | { readonly kind: 'say'; readonly agent: string; readonly said: Said }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'knocked'; readonly node: string; readonly answer: ReachAnswer }
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
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('knocked' as const),
      node: fc.constantFrom(...nodes),
      answer: fc.constantFrom<ReachAnswer>('answers', 'refused', 'silent'),
    }),
  },
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
    case 'knocked':
      rehearsal.knocked(step.node, step.answer);
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
          if (action.do === 'hold') {
            if (view.gate.state === 'held') return; // goes on, with another configuration
            // Silence alone is no loss: somebody said so, or the primary's port was found shut.
            const isTold = view.sightings.some(({ topology: { primary } }) => primary?.writable !== true);
            const isShut = view.reach !== null && view.reach.answer !== 'answers';
            expect(action.because.includes('pooler-died-while-held') || isTold || isShut).toBe(true);
            return;
          }
          const target = action.configuration.aliases.find((alias) => alias.writes)?.addresses[0];
          expect(target).toBe(memory.primary?.address);
          const gate = view.gate;
          if (gate.state === 'held' && action.do === 'resume') {
            const confirmed = view.sightings.some(
              ({ topology: { term, primary } }) =>
                term >= gate.term && primary?.writable === true && primary.address === target,
            );
            expect(confirmed || view.nowMs >= gate.sinceMs + gate.limitMs).toBe(true);
          }
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
        for (let pauses = 0; 'operation' in rehearsal.gate; pauses += 1) {
          // Several may follow one another, each of them once.
          expect(pauses).toBeLessThan(4);
          const { operation, sinceMs } = rehearsal.gate;
          const isShutFor = (gate: PoolerGateView): boolean => 'operation' in gate && gate.operation === operation;
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

  it('a held pooler is open again at its limit, by looking again when it said, and is not held for the same loss again', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const rehearsal = new Rehearsal();
        for (const step of commands) {
          perform(rehearsal, step);
          rehearsal.settle();
        }
        if (rehearsal.gate.state !== 'held') return;
        const { sinceMs, limitMs: holdMs } = rehearsal.gate;
        while (rehearsal.view().gate.state === 'held') {
          expect(rehearsal.nowMs).toBeLessThan(sinceMs + holdMs);
          rehearsal.nowMs += rehearsal.settle().lookAgainInMs;
          rehearsal.settle();
        }
        for (let waitedMs = 0; waitedMs < 10 * holdMs; waitedMs += holdMs / 4) {
          rehearsal.nowMs += holdMs / 4;
          rehearsal.settle();
          expect(rehearsal.view().gate.state).not.toBe('held');
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
