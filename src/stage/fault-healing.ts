/** Undoes faults and strikes them out, in the order in which they were done. */
import type { Clock } from '../ports/clock.ts';
import { type Fault, readFaults, strikeOut } from './fault-ledger.ts';
import { enforce, undo } from './fault-strikes.ts';
import type { StageRecord } from './record.ts';

/** While something is held down that a node's own agent starts again: how often to look, in ms. */
const enforceEveryMs = 200;

/** Answers what it undid. One that can't be undone keeps none of the others; it is told at the end. */
export async function heal(record: StageRecord, concerns: (fault: Fault) => boolean): Promise<readonly Fault[]> {
  const concerned = readFaults(record).filter(concerns);
  const undone: Fault[] = [];
  const failures: unknown[] = [];
  for (const fault of concerned) {
    try {
      await undo(record, fault);
      strikeOut(record, fault);
      undone.push(fault);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return undone;
}

/** Undoes those whose time is over, and holds the others up; answers how long until it is to be called again, in ms. */
export async function tendFaults(record: StageRecord, clock: Clock, atMostMs: number): Promise<number> {
  const now = clock.boottimeMs();
  let next = atMostMs;
  for (const fault of readFaults(record)) {
    if (fault.untilMs !== null && fault.untilMs <= now) continue;
    if (enforce(record, fault)) next = Math.min(next, enforceEveryMs);
    if (fault.untilMs !== null) next = Math.min(next, Math.max(0, fault.untilMs - now));
  }
  await heal(record, ({ untilMs }) => untilMs !== null && untilMs <= now);
  return next;
}
