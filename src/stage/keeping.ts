/**
 * A stage that runs without its keeper: what ends is not started again, and no fault is undone when its time is over. Finds
 * that, and starts another.
 *
 * Refuses to touch anything else of a stage that runs.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import { isDeclared } from './declaration.ts';
import { readFaults } from './fault-ledger.ts';
import { refuseWhatCannotBe } from './isolation.ts';
import { keeperPid, launchKeeper } from './keeper.ts';
import { stageProcesses } from './processes.ts';
import type { Waiting } from './readiness.ts';
import type { StageRecord } from './record.ts';

/** It has agents that know what they are to be: `stage up` would bring up nothing. */
export async function isUp(record: StageRecord, waiting: Waiting): Promise<boolean> {
  const hasAgents = stageProcesses(record).some((found) => found.kind === 'agent');
  return hasAgents && (await isDeclared(record, waiting)) === 'yes';
}

/**
 * Gives a stage that is up the keeper that it lacks. Throws STAGE_EXISTS when it has one, REFUSED when this user may not
 * give it one, PROCESS_FAILED.
 */
export async function keepAgain(record: StageRecord, directory: string): Promise<void> {
  if (keeperPid(record) === null) await refuseWhatCannotBe(record, record);
  if (!(await launchKeeper(record, directory)))
    throw new UnderstudyError('STAGE_EXISTS', `a stage runs in ${directory} already`);
}

/** What nobody does while no keeper lives, and what to do about it; `null`: one lives, or the stage is down. */
export function lackOfKeeper(record: StageRecord): { readonly text: string; readonly hint: string } | null {
  if (keeperPid(record) !== null) return null;
  // One that was ended, and has nothing to keep.
  if (stageProcesses(record).length === 0 && readFaults(record).length === 0) return null;
  return {
    text: "the stage's keeper has ended: what ends is not started again, and no fault ends by itself",
    hint: 'understudy stage up starts another',
  };
}
