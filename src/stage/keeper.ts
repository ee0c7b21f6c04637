/**
 * Starts a stage's agents and store members again when they end: what systemd does for the unit on a server
 * (packaging/understudy-agent.service), in a small process of its own that lives as long as the stage.
 *
 * It also undoes the stage's faults when their time is over, so that none depends on whoever ordered it.
 *
 * Invariant: it ends when the stage's record is gone or names another keeper or none, and it starts nothing that runs or
 * that a fault holds down.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { startDaemon } from '../process/daemon.ts';
import { identify, isAlive, type ProcessIdentity, readCommandLine } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import { tendFaults } from './fault-healing.ts';
import { readFaults } from './fault-ledger.ts';
import { isHeldDown } from './fault-strikes.ts';
import { launchAgent, launchStore } from './launch.ts';
import { stageProcesses } from './processes.ts';
import { findStage, type StageRecord, storeHosts } from './record.ts';

/** Like `RestartSec=1` in the unit. */
const restartAfterMs = 1_000;
const lookEveryMs = 500;
/** Whoever launched it names it at once. */
const namedWithinMs = 5_000;
const lookForNameEveryMs = 50;
const endsWithinMs = 5_000;
const endPollMs = 10;

export async function keepStage(directory: string, clock: Clock, signal: AbortSignal): Promise<void> {
  const known = new Map<string, ProcessIdentity>();
  const namedUntil = clock.boottimeMs() + namedWithinMs;
  let isNamed = false;
  while (!signal.aborted) {
    const record = findStage(directory);
    if (record === null) return;
    if (readKeeper(record) !== process.pid) {
      if (isNamed || clock.boottimeMs() > namedUntil) return;
      await clock.sleep(lookForNameEveryMs, signal).catch(() => undefined);
      continue;
    }
    isNamed = true;
    const tell = (error: unknown): void => console.error(error);
    await keepOnce(record, clock, known).catch(tell);
    const nextMs = await tendFaults(record, clock, lookEveryMs).catch(tell);
    await clock.sleep(nextMs ?? lookEveryMs, signal).catch(() => undefined);
  }
}

/** Everything is looked for only when something that was known has ended: reading all of /proc is dear. */
async function keepOnce(record: StageRecord, clock: Clock, known: Map<string, ProcessIdentity>): Promise<void> {
  const faults = readFaults(record);
  const wanted = [
    ...storeHosts(record).map((node) => ({ key: `store ${node.name}`, node, kind: 'store' as const })),
    ...record.nodes.map((node) => ({ key: `agent ${node.name}`, node, kind: 'agent' as const })),
  ].filter(({ node, kind }) => !isHeldDown(faults, node.name, kind));
  const isMissing = ({ key }: { key: string }) => {
    const process = known.get(key);
    return process === undefined || !isAlive(process);
  };
  if (!wanted.some(isMissing)) return;
  for (const found of stageProcesses(record)) known.set(`${found.kind} ${found.node}`, found);
  const missing = wanted.filter(isMissing);
  if (missing.length === 0) return;
  await clock.sleep(restartAfterMs);
  for (const { kind, node } of missing) {
    if (isHeldDown(readFaults(record), node.name, kind)) continue;
    await (kind === 'store' ? launchStore(record, node) : launchAgent(record, node));
  }
}

/**
 * Starts the keeper of a stage, as whoever calls this: root's keeper can start agents as another user again. Answers
 * whether there was none. Throws PROCESS_FAILED.
 */
export async function launchKeeper(record: StageRecord, directory: string): Promise<boolean> {
  if (livingKeeper(record) !== null) return false;
  const args = ['--max-old-space-size=64', programFile(record), 'stage', 'keep', '--directory', directory];
  const keeper = await startDaemon(process.execPath, args, { cwd: '/', logFile: join(record.root, 'keeper.log') });
  // Not by the keeper itself: until it ran, nobody could end it, and it would start again what was ended meanwhile.
  writeFileSync(keeperFile(record), String(keeper.pid));
  return true;
}

/** Throws REFUSED when it is another user's, STAGE_FAILED when it lives on for 5 s. */
export async function endKeeper(
  record: StageRecord,
  clock: Clock,
  send: typeof sendSignal = sendSignal,
): Promise<void> {
  const keeper = livingKeeper(record);
  // It holds nothing, and must start nothing more.
  if (keeper !== null && send(keeper, 'SIGKILL') === 'denied')
    throw new UnderstudyError('REFUSED', `the keeper of this stage, process ${keeper.pid}, belongs to another user`, {
      hint: 'run it as whoever started the stage',
    });
  rmSync(keeperFile(record), { force: true });
  if (keeper === null) return;
  const until = clock.boottimeMs() + endsWithinMs;
  while (isAlive(keeper)) {
    if (clock.boottimeMs() > until)
      throw new UnderstudyError('STAGE_FAILED', `the keeper of this stage, process ${keeper.pid}, does not end`, {
        hint: 'it was killed, and waits in the kernel, for a disk perhaps: try again when that answers',
      });
    await clock.sleep(endPollMs);
  }
}

/** `null`: none runs. */
export function keeperPid(record: StageRecord): number | null {
  return livingKeeper(record)?.pid ?? null;
}

function livingKeeper(record: StageRecord) {
  const pid = readKeeper(record);
  if (pid === null) return null;
  // The id may be another process's by now, even another stage's keeper's.
  const line = readCommandLine(pid);
  return line.includes('keep') && line.includes(programFile(record)) ? identify(pid) : null;
}

function programFile(record: StageRecord): string {
  return join(record.root, 'program', 'understudy.mjs');
}

function keeperFile(record: StageRecord): string {
  return join(record.root, 'keeper.pid');
}

function readKeeper(record: StageRecord): number | null {
  try {
    return Number(readFileSync(keeperFile(record), 'utf8'));
  } catch {
    return null; // `stage down` removed it
  }
}
