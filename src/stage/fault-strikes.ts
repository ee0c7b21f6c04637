/**
 * Does a fault to a stage's host, keeps it in force, and undoes it. By signals, rules of the hub and the disk's own
 * controls only: whatever happens then is the product's answer.
 *
 * Invariant: each undo may be repeated, and undoing a fault that struck only half is safe.
 */
import type { Clock } from '../ports/clock.ts';
import { readProcess } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import { disks, emptyDisk, fillDisk, freezeDisk, thawDisk } from './disks.ts';
import { burnLedger, type Fault, readFaults } from './fault-ledger.ts';
import type { ProcessTarget } from './fault-words.ts';
import { type StageProcess, type StageProcessKind, stageProcesses } from './processes.ts';
import { type StageRecord, stageHosts } from './record.ts';
import { closeWays, openWays, type Way } from './wiring.ts';

const kinds: Readonly<Record<ProcessTarget, readonly StageProcessKind[]>> = {
  agent: ['agent'],
  fence: ['fence'],
  postmaster: ['postmaster'],
  postgres: ['postmaster', 'backend'],
  pgbouncer: ['pooler'],
  store: ['store'],
  // Not what holds its namespaces: those are the host's cable and its disk.
  all: ['agent', 'fence', 'postmaster', 'backend', 'pooler', 'store', 'other'],
};

/** What the keeper, or a node's own agent, would start again within moments. */
const startedAgain: readonly ProcessTarget[] = ['postmaster', 'postgres', 'fence', 'pgbouncer'];

/** A struck process may have started another a moment before: looked again until none is found. */
const sweeps = 50;
const sweepMs = 10;
/** Room for the kernel's own rules below, and its table `main` at 32766 above. */
const firstPreference = 1_000;

/** Is the fault over with the strike itself? A postmaster that was killed once is its agent's business. */
export function isMomentary(fault: Pick<Fault, 'fault' | 'untilMs'> & { readonly what?: ProcessTarget }): boolean {
  return (
    fault.fault === 'kill' && fault.untilMs === null && fault.what !== undefined && startedAgain.includes(fault.what)
  );
}

/** Is the keeper to leave this process dead? */
export function isHeldDown(faults: readonly Fault[], node: string, kind: StageProcessKind): boolean {
  return faults.some(
    (fault) => fault.fault === 'kill' && fault.node === node && !isMomentary(fault) && kinds[fault.what].includes(kind),
  );
}

export function targets(record: StageRecord, node: string, what: ProcessTarget): readonly StageProcess[] {
  return stageProcesses(record).filter((found) => found.node === node && kinds[what].includes(found.kind));
}

/** Answers what it hit: processes, closed ways, or bytes. */
export async function strike(record: StageRecord, fault: Fault, clock: Clock): Promise<number> {
  const { node } = fault;
  switch (fault.fault) {
    case 'kill':
      // First the cable: a host that vanished says good-bye to nobody, but the kernel closes a killed process's connections.
      if (fault.what === 'all') await close(record, fault, waysAround(record, node, 'all', null));
      return await sweep(record, fault.node, fault.what, 'SIGKILL', clock);
    case 'freeze':
      return await sweep(record, fault.node, fault.what, 'SIGSTOP', clock);
    case 'partition': {
      const ways = waysAround(record, node, fault.from, fault.oneWay);
      await close(record, fault, ways);
      return ways.length;
    }
    case 'fill':
      return await fillDisk(record, node);
    case 'freeze-disk':
      await freezeDisk(record, node);
      return 1;
  }
}

/** What was killed for a time stays dead, whoever starts it again meanwhile. Answers whether the fault needs that. */
export function enforce(record: StageRecord, fault: Fault): boolean {
  if (fault.fault !== 'kill' || isMomentary(fault)) return false;
  for (const found of targets(record, fault.node, fault.what)) sendSignal(found, 'SIGKILL');
  return startedAgain.includes(fault.what);
}

export async function undo(record: StageRecord, fault: Fault): Promise<void> {
  switch (fault.fault) {
    case 'kill':
      if (fault.what === 'all') await open(record, fault);
      return;
    case 'freeze':
      for (const found of targets(record, fault.node, fault.what)) sendSignal(found, 'SIGCONT');
      return;
    case 'partition':
      await open(record, fault);
      return;
    case 'fill':
      emptyDisk(record, fault.node);
      return;
    case 'freeze-disk':
      await thawDisk(record, fault.node);
      return;
  }
}

/** Before a stage's processes are ended: nothing may be left that would keep one from ending. */
export async function forgetFaults(record: StageRecord): Promise<void> {
  for (const fault of readFaults(record)) {
    // Where its host is gone already, so is the fault.
    await undo(record, fault).catch(() => undefined);
  }
  const held = new Set(
    stageProcesses(record)
      .filter(({ kind }) => kind === 'namespace')
      .map(({ node }) => node),
  );
  for (const node of disks(record).filter((name) => held.has(name))) {
    await thawDisk(record, node);
    emptyDisk(record, node);
  }
  burnLedger(record);
}

async function sweep(
  record: StageRecord,
  node: string,
  what: ProcessTarget,
  signal: 'SIGKILL' | 'SIGSTOP',
  clock: Clock,
): Promise<number> {
  const hit = new Set<number>();
  for (let count = 0; count < sweeps; count += 1) {
    const found = targets(record, node, what).filter(({ pid }) => signal === 'SIGKILL' || !isStopped(pid));
    if (found.length === 0) break;
    for (const one of found) {
      sendSignal(one, signal);
      hit.add(one.pid);
    }
    // One that its parent starts again is not waited for, when the fault is not to hold.
    if (startedAgain.includes(what)) break;
    await clock.sleep(sweepMs);
  }
  return hit.size;
}

function isStopped(pid: number): boolean {
  const state = readProcess(pid)?.state;
  return state === 'T' || state === 't';
}

function waysAround(
  record: StageRecord,
  node: string,
  from: 'all' | readonly string[],
  oneWay: 'in' | 'out' | null,
): readonly Way[] {
  const address = (name: string) => stageHosts(record).find((host) => host.name === name)?.address ?? '';
  const self = address(node);
  const others = from === 'all' ? [{}] : from.map((name) => ({ other: address(name) }));
  return others.flatMap(({ other }: { readonly other?: string }) => [
    ...(oneWay === 'out' ? [] : [other === undefined ? { to: self } : { from: other, to: self }]),
    ...(oneWay === 'in' ? [] : [other === undefined ? { from: self } : { from: self, to: other }]),
  ]);
}

async function close(record: StageRecord, { id }: Fault, ways: readonly Way[]): Promise<void> {
  if (record.namespaces) await closeWays(record, firstPreference + id, ways);
}

async function open(record: StageRecord, { id }: Fault): Promise<void> {
  if (record.namespaces) await openWays(record, firstPreference + id);
}
