/** Whole histories of a correct cluster pass, and each planted anomaly is found, by name. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { everywhere, including, type Played, play, type Step, without } from '../../test/fixtures/history-model.ts';
import { anyAccount, attemptOf, calm, replaced, scripts, step, withOne } from '../../test/fixtures/history-scripts.ts';
import { isReplicated, type Outcome, workloads } from './attempt.ts';
import type { Finding } from './finding.ts';
import { judge } from './judge.ts';
import type { Contents } from './node-state.ts';

function verdictOf({ history, states }: Played) {
  return judge(history, states);
}

/** Can it be vouched for? Something was committed, and every node came to rest. */
function isComplete({ history, states }: Played): boolean {
  return history.attempts.some(({ outcome }) => outcome === 'ok') && states.every(({ caughtUp }) => caughtUp);
}

/** Everything found, not the ten worst alone. */
function found(played: Played, kind: Finding['kind'], id?: number): readonly Finding[] {
  return verdictOf(played).examples.filter(
    (finding) => finding.kind === kind && (id === undefined || ('id' in finding && finding.id === id)),
  );
}

describe('a history that a correct cluster can produce', () => {
  it('passes without a finding when nothing fails over', () => {
    fc.assert(
      fc.property(calm, (played) => {
        const { doubts, examples, findings, outcome } = verdictOf(played);
        expect({ findings, examples }).toEqual({ findings: 0, examples: [] });
        expect(outcome).toBe(isComplete(played) ? 'sound' : 'undetermined');
        expect(doubts.length > 0).toBe(!isComplete(played));
      }),
      { numRuns: 2_000 },
    );
  });

  it('passes with the loss of local commits alone counted, when a failover loses what it may', () => {
    fc.assert(
      fc.property(scripts(true).map(play), (played) => {
        const { examples, outcome, workloads: judged } = verdictOf(played);
        const lost = judged.reduce((sum, each) => sum + (each.lost?.local ?? 0), 0);
        const replicated = judged.flatMap(({ forks, lost: of }) => [
          forks.on,
          forks.remote_apply,
          of?.on,
          of?.remote_write,
        ]);
        expect({ outcome, lost }).toEqual({
          outcome: isComplete(played) ? 'sound' : 'undetermined',
          lost: played.lostLocally.length,
        });
        expect(new Set(replicated)).toEqual(new Set([0]));
        for (const finding of examples) expect(['lost', 'fork']).toContain(finding.kind);
      }),
      { numRuns: 2_000 },
    );
  });

  it('counts every outcome, and how many of the unknown are there', () => {
    fc.assert(
      fc.property(calm, (played) => {
        for (const { failed, ok, unknown, unknownThere, workload } of verdictOf(played).workloads) {
          const own = played.history.attempts.filter((attempt) => attempt.workload === workload);
          const count = (outcome: Outcome): number => own.filter((attempt) => attempt.outcome === outcome).length;
          expect([ok, failed, unknown]).toEqual([count('ok'), count('failed'), count('unknown')]);
          expect(unknownThere).toBeLessThanOrEqual(unknown);
        }
      }),
    );
  });
});

describe('a planted anomaly is found', () => {
  it.each(workloads)('an acknowledged row of %s that is missing', (workload) => {
    fc.assert(
      fc.property(withOne(calm, attemptOf(workload, 'ok')), ({ attempt, played }) => {
        const planted = everywhere(played, (contents) => without(contents, attempt));
        expect(found(planted, 'lost', attempt.id)).toHaveLength(1);
        const verdict = verdictOf(planted);
        const losses = verdict.workloads.map(({ lost }) => lost?.[attempt.commit] ?? 0);
        expect(losses.reduce((sum, count) => sum + count)).toBe(1);
        if (isReplicated(attempt.commit)) expect(verdict.outcome).toBe('broken');
      }),
    );
  });

  it.each(workloads)('a refused row of %s that is there', (workload) => {
    fc.assert(
      fc.property(withOne(calm, attemptOf(workload, 'failed')), ({ attempt, played }) => {
        const planted = everywhere(played, (contents) => including(contents, attempt));
        expect(found(planted, 'phantom', attempt.id)).toHaveLength(1);
        expect(verdictOf(planted).outcome).toBe('broken');
      }),
    );
  });

  it.each(workloads)('a row of %s that is there twice', (workload) => {
    fc.assert(
      fc.property(withOne(calm, attemptOf(workload, 'ok')), ({ attempt, played }) => {
        const planted = everywhere(played, (contents) => including(contents, attempt));
        expect(found(planted, 'duplicate', attempt.id)).toHaveLength(1);
        expect(verdictOf(planted).outcome).toBe('broken');
      }),
    );
  });

  it('a row that nobody sent', () => {
    fc.assert(
      fc.property(calm, (played) => {
        const planted = everywhere(played, (contents) => ({ ...contents, inserts: [...contents.inserts, 9_999] }));
        expect(found(planted, 'invented', 9_999)).toHaveLength(1);
        expect(verdictOf(planted).outcome).toBe('broken');
      }),
    );
  });

  it('a read that saw another order than the list has', () => {
    const long = withOne(
      calm,
      (attempt) =>
        attempt.workload === 'append' &&
        attempt.outcome === 'ok' &&
        attempt.reads.some((read) => read.items.length > 1),
    );
    fc.assert(
      fc.property(long, ({ attempt, played }) => {
        if (attempt.workload !== 'append') return;
        const reads = attempt.reads.map((read) => ({ ...read, items: [...read.items].reverse() }));
        const planted = replaced(played, attempt, { ...attempt, reads });
        expect(found(planted, 'fork')).not.toEqual([]);
        if (isReplicated(attempt.commit)) expect(verdictOf(planted).outcome).toBe('broken');
      }),
    );
  });

  it('a list whose middle was written anew', () => {
    const steps = step.map((each): Step => ({ ...each, workload: 'append', key: 0, commit: 'on', outcome: 'ok' }));
    fc.assert(
      fc.property(scripts(false, steps).map(play), (played) => {
        const items = played.states[0].contents.lists.get(0) ?? [];
        fc.pre(items.length > 2);
        // As after a failover to a node that lacked the first commit, with the same appends arriving once more.
        const rewritten = [...items.slice(1), ...items.slice(0, 1)];
        const planted = everywhere(played, (contents) => ({ ...contents, lists: new Map([[0, rewritten]]) }));
        expect(verdictOf(planted).workloads.find(({ workload }) => workload === 'append')?.forks.on).toBeGreaterThan(0);
        expect(verdictOf(planted).outcome).toBe('broken');
      }),
    );
  });

  it('a read of another total', () => {
    const withRead = withOne(calm, (attempt) => attempt.workload === 'bank' && attempt.balances !== null);
    fc.assert(
      fc.property(withRead, anyAccount, ({ attempt, played }, account) => {
        if (attempt.workload !== 'bank' || attempt.balances === null) return;
        const balances = attempt.balances.map((balance, index) => (index === account ? balance + 1 : balance));
        const planted = replaced(played, attempt, { ...attempt, balances });
        expect(found(planted, 'wrong-total')).toHaveLength(1);
        expect(verdictOf(planted).outcome).toBe('broken');
      }),
    );
  });

  it('half a transfer, also when the total is right', () => {
    fc.assert(
      fc.property(calm, fc.boolean(), (played, isHidden) => {
        const half = (contents: Contents): Contents => {
          if (contents.bank === null) return contents;
          const [first = 0, second = 0, ...rest] = contents.bank.balances;
          return {
            ...contents,
            bank: { ...contents.bank, balances: [first - 7, isHidden ? second + 7 : second, ...rest] },
          };
        };
        const planted = everywhere(played, half);
        expect(found(planted, 'wrong-balance')).toHaveLength(isHidden ? 2 : 1);
        expect(found(planted, 'wrong-total')).toHaveLength(isHidden ? 0 : 3);
        expect(verdictOf(planted).outcome).toBe('broken');
      }),
    );
  });

  it('a standby that holds what the primary has not', () => {
    fc.assert(
      fc.property(
        withOne(calm, (attempt) => attempt.outcome === 'failed'),
        ({ attempt, played }) => {
          const [primary, second, third] = played.states;
          const diverged = { ...third, contents: including(third.contents, attempt) };
          const verdict = judge(played.history, [primary, second, diverged]);
          expect(verdict.examples).toMatchObject([{ kind: 'diverged', node: 'db3', foreign: 1, ids: [attempt.id] }]);
          expect(verdict.nodes[2]).toMatchObject({ role: 'standby', diverged: true });
          expect(verdict.outcome).toBe('broken');
        },
      ),
    );
  });

  it('a standby that has caught up and lacks something', () => {
    fc.assert(
      fc.property(
        withOne(calm, (attempt) => attempt.outcome === 'ok'),
        ({ attempt, played }) => {
          const [primary, second] = played.states;
          const lacking = { ...second, contents: without(second.contents, attempt) };
          expect(judge(played.history, [primary, lacking]).examples).toMatchObject([
            { kind: 'diverged', node: 'db2', absent: 1 },
          ]);
          const behind = { ...lacking, caughtUp: false };
          const kinds = judge(played.history, [primary, behind]).examples.map(({ kind }) => kind);
          // An item is missing before others: no lag looks like that.
          expect(kinds.every((kind) => kind === 'diverged' && attempt.workload === 'append')).toBe(true);
        },
      ),
    );
  });

  it('a standby that has the same items in another order, or the same ledger and other balances', () => {
    fc.assert(
      fc.property(calm, (played) => {
        const [primary, second] = played.states;
        const { bank: held, lists } = second.contents;
        const [key, items] = [...lists].find(([, each]) => each.length > 1) ?? [0, []];
        fc.pre(items.length > 1 && held !== null);
        const [first = 0, next = 0, ...rest] = held?.balances ?? [];
        const reordered = { ...second.contents, lists: new Map([...lists, [key, items.toReversed()]]) };
        const moved = {
          ...second.contents,
          bank: { transfers: held?.transfers ?? [], balances: [first - 1, next + 1, ...rest] },
        };
        for (const [workload, contents] of [
          ['append', reordered],
          ['bank', moved],
        ] as const) {
          const verdict = judge(played.history, [primary, { ...second, contents }]);
          expect(verdict.examples).toMatchObject([{ kind: 'diverged', workload, node: 'db2' }]);
          expect(verdict.outcome).toBe('broken');
        }
      }),
    );
  });

  it('two nodes that can be written', () => {
    fc.assert(
      fc.property(calm, (played) => {
        const [primary, second] = played.states;
        const verdict = judge(played.history, [primary, { ...second, writable: true }]);
        expect(verdict.examples).toEqual([{ kind: 'several-writable', nodes: ['db1', 'db2'] }]);
        expect(verdict.outcome).toBe('broken');
      }),
    );
  });
});

describe('without a primary', () => {
  it('nothing is said of losses, and reads are held against each other all the same', () => {
    fc.assert(
      fc.property(calm, (played) => {
        const states = [{ node: 'db1', read: 'no', because: 'no answer' } as const, played.states[1]];
        const verdict = judge(played.history, states);
        expect(verdict).toMatchObject({ outcome: 'undetermined', findings: 0 });
        expect(verdict.workloads.every(({ lost, unknownThere }) => lost === null && unknownThere === null)).toBe(true);
        expect(verdict.doubts).toContainEqual({ doubt: 'no-primary' });
        expect(verdict.doubts).toContainEqual({ doubt: 'unread', node: 'db1', because: 'no answer' });
        expect(verdict.nodes[0]).toEqual({ node: 'db1', role: 'unknown', because: 'no answer' });
      }),
    );
  });
});
