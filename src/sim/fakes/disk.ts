/**
 * What a simulated data directory holds: WAL with its timelines, slots, files. It outlives every process.
 *
 * A position is a number of records: all WAL from the cluster's first record on is kept as one list, so two directories
 * hold the same data exactly when their lists are equal, which PostgreSQL itself can not see. What was written and not
 * flushed survives the end of processes and is lost with the operating system.
 */
import type { LocalPostgres } from '../../core/cluster-view.ts';
import { nobody, type SyncSet } from '../../core/durability.ts';
import { type Lsn, lsnFromOffset } from '../../core/lsn.ts';
import type { NodeName } from '../../core/spec.ts';

export interface WalRecord {
  /** Of an application's row; 0: the server's own records. */
  readonly row: number;
  /** Unique in the world: two records at one position are the same only when these are equal. */
  readonly serial: number;
}

export interface Fork {
  readonly timeline: number;
  /** How many records the parent had when it was left. */
  readonly at: number;
}

/** `wal_keep_size` and `max_slot_wal_keep_size`, in records; small, so that runs of a minute reach them. */
const keptRecords = 100;
const budgetRecords = 1_500;

const firstLsn = 0x3000000n;
export const recordBytes = 64;

export function lsnOf(position: number): Lsn {
  return lsnFromOffset(firstLsn + BigInt(recordBytes * position));
}

export function positionOf(lsn: Lsn): number {
  return Number((lsn - firstLsn) / BigInt(recordBytes));
}

export class FakeDisk {
  content: 'absent' | 'unfinished' | 'cluster' = 'absent';
  systemIdentifier = '';
  records: WalRecord[] = [];
  flushed = 0;
  /** Oldest first; the last is where the server writes or follows. */
  history: readonly Fork[] = [{ timeline: 1, at: 0 }];
  shutdown: 'clean' | 'crashed' = 'crashed';
  /** Where its last checkpoint stands; that of a clean shutdown is the last record. */
  checkpointAt = 0;
  lastRole: 'primary' | 'standby' = 'primary';
  /** By slot name: how far its standby has come; `null`: its budget was exceeded. */
  slots = new Map<string, number | null>();
  /** Records before this one are gone. */
  keptFrom = 0;
  syncFile: SyncSet = nobody;
  upstream: NodeName | null = null;
  isFull = false;
  isFrozen = false;
  /** Whatever waits for it can not even be killed. */
  isDead = false;
  slowByMs = 0;
  #whenThawed: (() => void)[] = [];

  get timeline(): number {
    return this.history.at(-1)?.timeline ?? 1;
  }

  get end(): number {
    return this.records.length;
  }

  get fork(): { readonly parent: number; readonly lsn: Lsn } | null {
    const last = this.history.at(-1);
    const parent = this.history.at(-2);
    return last === undefined || parent === undefined ? null : { parent: parent.timeline, lsn: lsnOf(last.at) };
  }

  /** A new cluster's first WAL; `serial` is that of its record. */
  initialise(systemIdentifier: string, serial: number): void {
    this.content = 'cluster';
    this.systemIdentifier = systemIdentifier;
    this.records = [];
    this.history = [{ timeline: 1, at: 0 }];
    this.writeShutdown(serial);
    this.shutdown = 'clean';
    this.lastRole = 'primary';
  }

  writeShutdown(serial: number): void {
    this.records.push({ row: 0, serial });
    this.flushed = this.end;
  }

  checkpointed(): void {
    this.checkpointAt = Math.max(0, this.end - 1);
  }

  /** What no slot holds back any more, and what a slot may no longer hold back. */
  removeOldWal(): void {
    let keep = Math.max(0, this.flushed - keptRecords);
    for (const [slot, position] of this.slots) {
      if (position === null) continue;
      if (this.flushed - position > budgetRecords) this.slots.set(slot, null);
      else keep = Math.min(keep, position);
    }
    this.keptFrom = Math.max(this.keptFrom, keep);
  }

  /** What a process that dies leaves behind. */
  forgetUnflushed(): void {
    this.records.length = Math.min(this.records.length, this.flushed);
    this.history = this.history.filter(({ at }, index) => index === 0 || at < this.records.length);
  }

  whenThawed(run: () => void): void {
    if (this.isFrozen) this.#whenThawed.push(run);
    else run();
  }

  thaw(): void {
    this.isFrozen = false;
    this.isDead = false;
    const waiting = this.#whenThawed;
    this.#whenThawed = [];
    for (const run of waiting) run();
  }

  copyFrom(source: FakeDisk): void {
    this.content = 'cluster';
    this.systemIdentifier = source.systemIdentifier;
    this.records = source.records.slice(0, source.flushed);
    this.flushed = this.records.length;
    this.history = source.history.filter(({ at }, index) => index === 0 || at < this.records.length);
    this.shutdown = 'crashed';
    this.checkpointed();
    this.lastRole = 'standby';
    this.slots = new Map();
    this.keptFrom = this.records.length;
    this.syncFile = nobody;
    this.upstream = null;
  }

  atRest(): LocalPostgres {
    if (this.content !== 'cluster') return { state: this.content };
    return {
      state: 'stopped',
      systemIdentifier: this.systemIdentifier,
      timeline: this.timeline,
      // Its location is where its record starts.
      checkpointLsn: lsnOf(this.shutdown === 'clean' ? Math.max(0, this.end - 1) : this.checkpointAt),
      shutdown: this.shutdown,
      lastRole: this.lastRole,
    };
  }
}
