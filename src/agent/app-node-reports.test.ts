import { expect, it } from 'vitest';
import type { PoolerReport } from '../core/pooler-report.ts';
import type { Clock } from '../ports/clock.ts';
import type { DatabaseAgent } from './app-node-ports.ts';
import { PoolerReports } from './app-node-reports.ts';

const agent: DatabaseAgent = { node: 'db1', address: '10.0.0.1', hostName: 'db1.test' };
const clock: Clock = { boottimeMs: () => 0, wallClock: () => new Date(0), sleep: async () => {} };

const report = (counter: number): PoolerReport => ({
  node: 'web1',
  counter,
  state: 'open',
  operation: null,
  term: 1,
  primary: 'db1',
  clients: 0,
  waiting: 0,
  specRevision: 1,
  readOnly: false,
  blockers: [],
  poolerVersion: null,
  lastPause: null,
  trouble: null,
});

/** Keeps every report until the test lets it through or refuses it. */
function open() {
  const pending: { readonly counter: number; readonly settle: (ok: boolean) => void }[] = [];
  const arrived: number[] = [];
  const stopping = new AbortController();
  const reports = new PoolerReports(
    {
      report: async (_, { counter }) =>
        await new Promise<void>((resolve, reject) => {
          const settle = (ok: boolean): void => {
            if (ok) arrived.push(counter);
            if (ok) resolve();
            else reject(new Error('refused'));
          };
          pending.push({ counter, settle });
        }),
    },
    clock,
    stopping.signal,
  );
  const answer = async (ok: boolean): Promise<void> => {
    pending.shift()?.settle(ok);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { reports, pending, arrived, answer };
}

it('sends one at a time, and then the latest only', async () => {
  const { reports, pending, arrived, answer } = open();
  for (const counter of [1, 2, 3]) reports.send([agent], report(counter), true);
  expect(pending.map((one) => one.counter)).toEqual([1]);
  await answer(true);
  await answer(true);
  expect(arrived).toEqual([1, 3]);
  expect(pending).toEqual([]);
});

it('repeats a change that was not taken, but never after a newer one', async () => {
  const { reports, arrived, answer } = open();
  reports.send([agent], report(1), true);
  await answer(false);
  reports.send([agent], report(2), true);
  await answer(false);
  await answer(true);
  expect(arrived).toEqual([2]);
});

it('does not repeat an ordinary one', async () => {
  const { reports, pending, answer } = open();
  reports.send([agent], report(1), false);
  await answer(false);
  expect(pending).toEqual([]);
});
