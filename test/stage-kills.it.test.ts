/**
 * kill -9 of each kind of process in each phase of a switchover, on a real stage under load. Whatever dies, the cluster
 * ends healthy: the move finished or undone, one writable node, no stuck pause, every acknowledged row there.
 *
 * The phases are stretched by `--pace`, so that each can be met. What dies is started again by the stage's keeper, as
 * systemd would. Every third case is played, so that each phase and each process has its turn; `TEST_LONG=1` plays them all,
 * `KILLS=phase:process` one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Operation } from '../src/core/operation.ts';
import { startDaemon } from '../src/process/daemon.ts';
import { sendSignal } from '../src/process/signal.ts';
import { startWriters, type TestStage, withStage } from './fixtures/stage.ts';

const phases = ['pausing', 'stopped', 'handed-over'] as const;
const victims = [
  "old primary's agent",
  "target's agent",
  "other standby's agent",
  "pooler's agent",
  'pgbouncer',
  'command line',
] as const;
const paceMs = 500;

interface Row {
  readonly phase: string;
  readonly killed: string;
  readonly outcome: string;
  readonly failed: number;
  readonly missing: number;
}

const table: Row[] = [];
afterAll(() => console.table(table));

const only = process.env.KILLS;
const isLong = process.env.TEST_LONG === '1';
const cases = phases
  .flatMap((phase, row) => victims.map((victim, column) => ({ phase, victim, isUsual: (row + column) % 3 === 0 })))
  .filter(({ phase, victim, isUsual }) => (only === undefined ? isLong || isUsual : only === `${phase}:${victim}`));

test('whatever is killed in whichever phase, the cluster ends healthy with every acknowledged row', {
  timeout: 900_000,
}, async () => {
  await withStage({ nodes: 3, appNodes: 1 }, async (stage) => {
    for (const { phase, victim } of cases) {
      const writers = await startWriters(stage, 4);
      const before = await stage.untilHealthy();
      const from = before.primary ?? '';
      const to = from === 'db1' ? 'db2' : 'db1';
      const other = ['db1', 'db2', 'db3'].find((node) => node !== from && node !== to) ?? '';
      const command = await startSwitchover(stage, to);
      await untilPhase(stage, before.operation?.id ?? null, phase);
      kill(stage, victim, { from, to, other }, command);
      const ended = await untilEnded(stage, before.operation?.id ?? null);
      const after = await stage.untilHealthy(90_000);
      const verdict = await writers.stop();
      const row = {
        phase,
        killed: victim,
        outcome: describe(ended),
        failed: verdict.failed.length,
        missing: verdict.missing,
      };
      table.push(row);
      console.log(JSON.stringify({ ...row, errors: [...new Set(verdict.failed)].slice(0, 3) }));
      expect(verdict.missing).toBe(0);
      expect(verdict.acknowledged).toBeGreaterThan(0);
      expect(await writable(stage), 'writable nodes').toEqual([after.primary]);
      // An application sees nothing of it, unless its own pooler dies under it.
      if (victim !== 'pgbouncer') expect(verdict.failed).toEqual([]);
    }
  });
});

async function startSwitchover(stage: TestStage, to: string) {
  const program = join(stage.record.root, 'program', 'understudy.mjs');
  const args = [program, 'switchover', '--to', to, '--pace', String(paceMs), '--json'];
  return await startDaemon(process.execPath, args, {
    cwd: stage.directory,
    logFile: join(stage.directory, 'switchover.log'),
  });
}

async function untilPhase(stage: TestStage, last: string | null, phase: Operation['phase']): Promise<void> {
  for (let tries = 0; tries < 2_000; tries += 1) {
    const operation = await stage.operation();
    if (operation !== null && operation.id !== last && operation.phase === phase) return;
    await new Promise((resume) => setTimeout(resume, 20));
  }
  const said = readFileSync(join(stage.directory, 'switchover.log'), 'utf8');
  throw new Error(`phase ${phase} was not met; the command said ${said.slice(-2_000)}`);
}

async function untilEnded(stage: TestStage, last: string | null): Promise<Operation> {
  const ended = await stage.until('the operation ended', ({ operation }) => {
    return (
      operation !== null && operation.id !== last && (operation.phase === 'finished' || operation.phase === 'undone')
    );
  });
  if (ended.operation === null) throw new Error('no operation');
  return ended.operation;
}

function kill(
  stage: TestStage,
  victim: (typeof victims)[number],
  nodes: { readonly from: string; readonly to: string; readonly other: string },
  command: Awaited<ReturnType<typeof startSwitchover>>,
): void {
  switch (victim) {
    case "old primary's agent":
      stage.signal('agent', nodes.from, 'SIGKILL');
      return;
    case "target's agent":
      stage.signal('agent', nodes.to, 'SIGKILL');
      return;
    case "other standby's agent":
      stage.signal('agent', nodes.other, 'SIGKILL');
      return;
    case "pooler's agent":
      stage.signal('agent', 'app1', 'SIGKILL');
      return;
    case 'pgbouncer':
      stage.signal('pooler', 'app1', 'SIGKILL');
      return;
    case 'command line':
      expect(sendSignal(command, 'SIGKILL')).toBe('sent');
      return;
  }
}

function describe(operation: Operation): string {
  return operation.phase === 'undone' ? `undone (${operation.reason})` : operation.phase;
}

async function writable(stage: TestStage): Promise<readonly string[]> {
  const found: string[] = [];
  for (const node of ['db1', 'db2', 'db3']) {
    const [row] = await stage.local(node, 'select pg_is_in_recovery() as standby');
    if (row?.standby === false) found.push(node);
  }
  return found;
}
