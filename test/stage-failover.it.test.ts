/**
 * The primary dies, hangs or loses its host, under load that asks for replicated commits: the cluster heals alone, no
 * acknowledged row is missing, and never more than one node is writable.
 */
import { afterAll, expect, test } from 'vitest';
import { sendSignal } from '../src/process/signal.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';
import { startStageLoad } from './fixtures/stage-load.ts';

type Fault = (stage: TestStage, primary: string) => () => void;

const faults: Readonly<Record<string, Fault>> = {
  'its agent is frozen: the fence ends PostgreSQL': (stage, primary) => {
    stage.signal('agent', primary, 'SIGSTOP');
    return () => stage.signal('agent', primary, 'SIGCONT');
  },
  'its host is gone': (stage, primary) => {
    stage.signal('agent', primary, 'SIGSTOP');
    const server = [...stage.processes('postmaster', primary), ...stage.processes('backend', primary)];
    for (const process of server) sendSignal(process, 'SIGKILL');
    return () => stage.signal('agent', primary, 'SIGCONT');
  },
};

interface Row {
  readonly fault: string;
  readonly from: string;
  readonly to: string;
  readonly longestGapMs: number;
}

const table: Row[] = [];
afterAll(() => console.table(table));

test('a primary that is lost is replaced, and what was acknowledged as replicated is there', {
  timeout: 300_000,
}, async () => {
  await withStage({ nodes: 3, appNodes: 1 }, async (stage) => {
    for (const [fault, strike] of Object.entries(faults)) {
      const before = await stage.untilWhole();
      const from = before.primary ?? '';
      const writing = await startStageLoad(stage, { writers: 4, commit: 'on' });
      await writing.untilCommitted(100);
      const heal = strike(stage, from);
      const after = await stage.until(
        'another node is primary',
        ({ primary, term }) => primary !== null && primary !== from && (term ?? 0) > (before.term ?? 0),
      );
      // Frozen or not: by now nothing of the old primary may run.
      expect(stage.processes('postmaster', from)).toEqual([]);
      heal();
      await stage.untilHealthy(120_000);
      const { verdict } = await writing.judged();
      table.push({ fault, from, to: after.primary ?? '', longestGapMs: verdict.longestGap.ms });
      expect(verdict).toMatchObject({ outcome: 'sound', findings: 0 });
      expect(verdict.nodes.filter(({ role }) => role === 'primary').map(({ node }) => node)).toEqual([after.primary]);
    }
  });
});

test('a primary whose postmaster is killed is served again, without the loss of a local commit', {
  timeout: 120_000,
}, async () => {
  await withStage({ nodes: 2, appNodes: 1 }, async (stage) => {
    await stage.untilHealthy();
    const writing = await startStageLoad(stage, { writers: 4 });
    await writing.untilCommitted(100);
    const killed = stage.processes('postmaster', 'db1').map(({ pid }) => pid);
    stage.signal('postmaster', 'db1', 'SIGKILL');
    await stage.until('it runs again', ({ primary, verdict }) => {
      const now = stage.processes('postmaster', 'db1');
      return primary === 'db1' && verdict === 'HEALTHY' && now.length === 1 && !killed.includes(now[0]?.pid ?? 0);
    });
    const { verdict } = await writing.judged();
    expect(verdict).toMatchObject({ outcome: 'sound', findings: 0 });
  });
});
