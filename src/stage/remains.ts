/**
 * What is left of a stage whose record is gone or damaged: its files are where a stage of this directory has them, and say
 * enough to end it.
 *
 * Invariant: nothing is signalled that does not work under such a place. Refuses to go on with a stage: what it was to be
 * stood in the record alone.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { stageRoots, stageRunRoot } from './account.ts';
import { forgetFaults } from './fault-strikes.ts';
import { release } from './isolation.ts';
import { endKeeper } from './keeper.ts';
import { endProcesses, endStrays, stageProcesses } from './processes.ts';
import { hub, type StageRecord, stageDirectory } from './record.ts';

/** Of these every host has one. */
const marks = ['node.yaml', 'etcd.yaml', 'holder.log'] as const;
const disk = 'disk.img';

/** Answers how many processes it ended; `null`: there is nothing. Throws STAGE_FAILED for what does not end. */
export async function endRemains(request: {
  readonly directory: string;
  readonly purge: boolean;
  readonly clock: Clock;
}): Promise<number | null> {
  const { directory, purge, clock } = request;
  let found: number | null = null;
  for (const root of stageRoots(directory)) {
    const shown = recordShownBy(directory, root);
    const ended = (shown === null ? 0 : await endStage(shown, clock)) + (await endStrays(root, clock));
    if (shown !== null || ended > 0) found = (found ?? 0) + ended;
    if (shown !== null && purge) removeFiles([shown.root, shown.run]);
  }
  if (found !== null && purge) removeFiles([stageDirectory(directory)]);
  return found;
}

/** As much of the record as the files under a root show: enough for whoever ends the stage, and for nobody else. */
function recordShownBy(directory: string, root: string): StageRecord | null {
  const hosts = entries(root).filter((name) => marks.some((mark) => existsSync(join(root, name, mark))));
  if (hosts.length === 0) return null;
  const hasDisk = (name: string): boolean => existsSync(join(root, name, disk));
  const nodes = hosts
    .filter((name) => name !== hub)
    .map((name) => ({ name, role: hasDisk(name) ? ('database' as const) : ('app' as const), address: '' }));
  return {
    ...{ version: 1, cluster: '', domain: '', network: '', user: { name: '', uid: -1, gid: -1 } },
    ...{ root, run: stageRunRoot(directory, root), storeMembers: [], storeHosts: [], nodes },
    namespaces: hosts.includes(hub),
    diskMb: hosts.some(hasDisk) ? 0 : null,
  };
}

function entries(root: string): readonly string[] {
  try {
    return readdirSync(root);
  } catch {
    return []; // none, or nobody's business
  }
}

/** Every process of it, and what the kernel holds for them; answers how many there were. Throws STAGE_FAILED. */
export async function endStage(record: StageRecord, clock: Clock): Promise<number> {
  await endKeeper(record, clock);
  await forgetFaults(record);
  const ended = await endProcesses(record, clock);
  const left = stageProcesses(record);
  if (left.length > 0)
    throw new UnderstudyError('STAGE_FAILED', `processes that did not end: ${left.map((one) => one.pid).join(', ')}`);
  await release(record, clock);
  return ended;
}

export function removeFiles(paths: readonly string[]): void {
  for (const path of paths) rmSync(path, { recursive: true, force: true });
}
