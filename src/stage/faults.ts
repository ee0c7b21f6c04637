/**
 * Orders of faults: looks whether one is possible, writes it down, strikes, and undoes what is over.
 *
 * Invariant: what needs undoing is in the ledger before it strikes. A fault with an end of its own is undone by the stage's
 * keeper, whether or not whoever ordered it lives on.
 * Refuses what this stage can't do, and a second fault of a kind that could not be undone apart from the first.
 */
import { statSync } from 'node:fs';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { heal } from './fault-healing.ts';
import { enterFault, type Fault, type NewFault, readFaults, strikeOut } from './fault-ledger.ts';
import { isMomentary, strike, targets, undo } from './fault-strikes.ts';
import type { FaultOrder } from './fault-words.ts';
import { launchKeeper } from './keeper.ts';
import { requireStage, type StageRecord, stageHosts } from './record.ts';

export interface Struck {
  readonly fault: Fault;
  /** How many processes or directions it hit, or bytes. */
  readonly hit: number;
  /** It needs no healing: what was killed is started again by itself. */
  readonly momentary: boolean;
}

/** Throws STAGE_MISSING, and REFUSED when the stage is another user's. */
export function openStage(directory: string): StageRecord {
  const record = requireStage(directory);
  const self = process.geteuid?.();
  if (self !== 0 && statSync(record.root).uid !== self)
    throw new UnderstudyError('REFUSED', 'this stage belongs to another user', {
      hint: 'run it as whoever started the stage',
    });
  return record;
}

/** Throws NOT_FOUND for an unknown host, REFUSED with the reason, PROCESS_FAILED when it could not be done. */
export async function strikeFault(
  record: StageRecord,
  directory: string,
  order: FaultOrder,
  clock: Clock,
): Promise<Struck> {
  refuseFault(record, order);
  const untilMs = order.forMs === null ? null : clock.boottimeMs() + order.forMs;
  const fault = enterFault(record, resolved(record, order, untilMs), clock.wallClock());
  try {
    await launchKeeper(record, directory);
  } catch (error) {
    strikeOut(record, fault); // nothing was struck yet, and nobody is there to end it
    throw error;
  }
  try {
    const hit = await strike(record, fault, clock);
    const momentary = isMomentary(fault);
    if (momentary) strikeOut(record, fault);
    // It was over before the strike was: then half of it came after its undoing.
    else if (!readFaults(record).some(({ id }) => id === fault.id)) await undo(record, fault);
    return { fault, hit, momentary };
  } catch (error) {
    await heal(record, ({ id }) => id === fault.id);
    throw error;
  }
}

/** Undoes those of one host, or all; answers what it undid. Throws NOT_FOUND for an unknown host. */
export async function healFaults(record: StageRecord, node: string | null): Promise<readonly Fault[]> {
  if (node !== null) requireHost(record, node);
  return await heal(record, (fault) => node === null || fault.node === node);
}

function requireHost(record: StageRecord, node: string): void {
  const names = stageHosts(record).map(({ name }) => name);
  if (names.includes(node)) return;
  throw new UnderstudyError('NOT_FOUND', `the stage has no host ${node}`, { hint: `it has ${names.join(', ')}` });
}

const groups: readonly string[] = ['all', 'store', 'peers'];

function othersOf(record: StageRecord, { node, from }: Extract<FaultOrder, { fault: 'partition' }>): 'all' | string[] {
  if (from.includes('all')) return 'all';
  const peers = record.nodes.filter(({ role }) => role === 'database').map(({ name }) => name);
  const named = (word: string) => (word === 'store' ? record.storeMembers : word === 'peers' ? peers : [word]);
  return [...new Set(from.flatMap(named))].filter((name) => name !== node);
}

function resolved(record: StageRecord, order: FaultOrder, untilMs: number | null): NewFault {
  const { node } = order;
  switch (order.fault) {
    case 'kill':
    case 'freeze':
      return { fault: order.fault, node, what: order.what, untilMs };
    case 'partition':
      return { fault: order.fault, node, from: othersOf(record, order), oneWay: order.oneWay, untilMs };
    case 'fill':
    case 'freeze-disk':
      return { fault: order.fault, node, untilMs };
  }
}

/** Throws NOT_FOUND for an unknown host, REFUSED with the reason why this can't be done now. */
export function refuseFault(record: StageRecord, order: FaultOrder): void {
  const { fault, node } = order;
  requireHost(record, node);
  const before = readFaults(record).find(
    (other) => other.node === node && other.fault === fault && fault !== 'partition' && sameTarget(other, order),
  );
  if (before !== undefined)
    throw new UnderstudyError('REFUSED', `${node} has that fault already (${fault}, number ${before.id})`, {
      hint: `understudy stage fault heal ${node}`,
    });
  switch (order.fault) {
    case 'kill':
    case 'freeze':
      if (targets(record, node, order.what).length === 0)
        throw new UnderstudyError('REFUSED', `on ${node} nothing of ${order.what} runs`);
      return;
    case 'partition':
      if (!record.namespaces)
        throw new UnderstudyError('REFUSED', "this stage's hosts share one network, which can't be cut", {
          hint: 'a stage made by root with understudy stage up --net has a network of its own for each',
        });
      for (const other of order.from.filter((name) => !groups.includes(name))) requireHost(record, other);
      if (othersOf(record, order).length === 0)
        throw new UnderstudyError('REFUSED', `there is nobody to cut ${node} off from`);
      return;
    case 'fill':
    case 'freeze-disk':
      if (record.diskMb === null || record.nodes.find(({ name }) => name === node)?.role !== 'database')
        throw new UnderstudyError('REFUSED', `${node} has no disk of its own`, {
          hint: 'database nodes of a stage made by root with understudy stage up --small-disks 512M have one',
        });
      return;
  }
}

/** Two freezes could not be undone apart; nor could two kills of the same process. */
function sameTarget(before: Fault, order: FaultOrder): boolean {
  if (before.fault !== 'kill' || order.fault !== 'kill') return true;
  return before.what === order.what;
}
