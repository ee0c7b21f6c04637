/**
 * A cluster with backups in object storage, under writers, for the faults of bench/backup-fault-scenarios.ts.
 *
 * Invariant: every row that a writer was told is committed is in `acknowledged` from then on, so that whatever is restored later can be
 * held against it.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { ownProcesses, type ProcessIdentity, readCommandLine } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import type { ObjectStore } from '../test/fixtures/object-store.ts';
import { type BackupFiles, declareBackups, restartBoth } from '../test/fixtures/stage-backups.ts';
import type { StageUnderTest } from './stage-under-test.ts';
import { until } from './waiting.ts';

export const readyWithinMs = 180_000;
const writers = 4;
const thinkMs = 25;

export interface Scene {
  readonly stage: StageUnderTest;
  readonly store: ObjectStore;
  readonly files: BackupFiles;
  readonly history: History;
}

export interface History {
  readonly acknowledged: ReadonlySet<number>;
  /** Attempts that ended with an error. */
  readonly failed: number;
  stop(): Promise<void>;
}

/** One row after the other by each writer; an id is never tried twice. */
export function startHistory(stage: StageUnderTest): History {
  const acknowledged = new Set<number>();
  let [failed, next, isStopped] = [0, 1, false];
  const write = async (): Promise<void> => {
    let client: pg.Client | null = null;
    while (!isStopped) {
      const id = next;
      next += 1;
      try {
        if (client === null) {
          client = new pg.Client(stage.application());
          client.on('error', () => undefined);
          await client.connect();
        }
        await client.query('INSERT INTO history (id) VALUES ($1)', [id]);
        acknowledged.add(id);
      } catch {
        failed += 1;
        await client?.end().catch(() => undefined);
        client = null;
      }
      await delay(thinkMs);
    }
    await client?.end();
  };
  const writing = Array.from({ length: writers }, write);
  return {
    acknowledged,
    get failed() {
      return failed;
    },
    async stop() {
      isStopped = true;
      await Promise.all(writing);
    },
  };
}

/** Every server archives. */
export async function startArchiving(stage: StageUnderTest, store: ObjectStore): Promise<BackupFiles> {
  const files = await declareBackups(stage, store);
  await restartBoth(stage, (nodes) => untilRestarted(stage, nodes));
  return files;
}

async function untilRestarted(stage: StageUnderTest, nodes: readonly string[]): Promise<void> {
  await until('it runs with archiving', readyWithinMs, 200, async () => {
    const status = await stage.status().catch(() => null);
    return (
      status !== null &&
      status.primary !== null &&
      status.nodes.every(({ node, pendingRestart, postgres, role }) => {
        const isUp = postgres?.state === 'primary' || postgres?.state === 'standby';
        return role !== 'database' || (isUp && (!nodes.includes(node) || pendingRestart.length === 0));
      })
    );
  });
}

/** Programs of pgBackRest on this stage that do this. */
export function programsAt(stage: StageUnderTest, work: string): readonly ProcessIdentity[] {
  return ownProcesses((pid) => {
    const args = readCommandLine(pid);
    const isOurs = args.some((arg) => arg.includes(stage.record.root));
    return isOurs && args.includes(work) && args.some((arg) => arg.endsWith('pgbackrest'));
  });
}

/** As soon as such a program runs, and some time later. */
export async function killProgram(stage: StageUnderTest, work: string, afterMs: number): Promise<void> {
  await until(`pgbackrest ${work} runs`, readyWithinMs, 20, () => programsAt(stage, work).length > 0);
  await delay(afterMs);
  const found = programsAt(stage, work);
  if (found.length === 0) throw new Error(`${work} had ended before it was killed: more data is needed`);
  for (const program of found) sendSignal(program, 'SIGKILL');
}

/** The command line in a process of its own, so that it can be killed. */
export function begun(stage: StageUnderTest, ...args: readonly string[]) {
  const program = join(import.meta.dirname, '..', 'dist', 'understudy.mjs');
  const child = spawn(process.execPath, [program, ...args], { cwd: stage.directory, stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return { kill: () => child.kill('SIGKILL'), ended };
}
