/** Undoes faults and strikes them out, in the order in which they were done. */
import type { Clock } from '../ports/clock.ts';
import { type Fault, readFaults, strikeOut } from './fault-ledger.ts';
import { enforce, undo } from './fault-strikes.ts';
import type { StageRecord } from './record.ts';

/** Answers what it undid. */
export async function heal(record: StageRecord, concerns: (fault: Fault) => boolean): Promise<readonly Fault[]> {
  const concerned = readFaults(record).filter(concerns);
  for (const fault of concerned) {
    await undo(record, fault);
    strikeOut(record, fault);
  }
  return concerned;
}

/** Undoes those whose time is over, and holds the others up; answers how long until it is to be called again, in ms. */
export async function tendFaults(record: StageRecord, clock: Clock, atMostMs: number): Promise<number> {
  const now = clock.boottimeMs();
  await heal(record, ({ untilMs }) => untilMs !== null && untilMs <= now);
  let next = atMostMs;
  for (const fault of readFaults(record)) {
    enforce(record, fault);
    if (fault.untilMs !== null) next = Math.min(next, Math.max(0, fault.untilMs - now));
  }
  return next;
}
