/**
 * One stream from a simulated server to a standby's WAL receiver.
 *
 * Whether it is accepted, PostgreSQL judges by numbers alone: timeline and position. Records that differ under the same
 * numbers are not noticed, here as there. Invariant: only flushed records are sent, in order; a standby confirms only
 * what it has flushed; a stream that hears nothing for `silentMs` ends on both sides.
 */

import type { Network } from '../world/network.ts';
import type { FakeDisk } from './disk.ts';
import type { FakeServer } from './server.ts';
import type { ServerProcess } from './server-process.ts';

const silentMs = 10_000;
const tickMs = 1_000;

/** What PostgreSQL says when asked to stream from there (walsender.c, `StartReplication`). */
export function judgeStart(
  source: FakeDisk,
  standby: FakeDisk,
  slot: string,
): 'ok' | 'wal-removed' | 'diverged' | 'ahead' {
  const { history } = source;
  const index = history.findIndex(({ timeline }) => timeline === standby.timeline);
  if (index < 0) return 'diverged';
  const next = history[index + 1];
  if (next !== undefined && standby.end > next.at) return 'diverged';
  if (standby.end > source.flushed) return 'ahead';
  if (standby.end < source.keptFrom || source.slots.get(slot) === null) return 'wal-removed';
  return 'ok';
}

export class ReplicationStream {
  readonly source: FakeServer;
  readonly standby: FakeServer;
  readonly #from: ServerProcess;
  readonly #to: ServerProcess;
  readonly #network: Network;
  /** Confirmed by the standby. */
  flushed: number;
  repliedAtMs: number;
  #sending = false;
  #heardAtMs: number;
  #isOverAtSource = false;
  #isOverAtStandby = false;

  constructor(source: FakeServer, standby: FakeServer, from: ServerProcess, to: ServerProcess, network: Network) {
    this.source = source;
    this.standby = standby;
    this.#from = from;
    this.#to = to;
    this.#network = network;
    this.flushed = standby.disk.flushed;
    this.#heardAtMs = source.time.nowMs;
    this.repliedAtMs = source.time.nowMs;
    source.time.after(tickMs, () => this.#tick());
  }

  /** The receiver is gone: nothing is written or confirmed any more. */
  endAtStandby(): void {
    if (this.#isOverAtStandby) return;
    this.#isOverAtStandby = true;
    this.standby.recovery.receiverEnded(this, this.#to);
    this.#network.send(this.standby.host, this.source.host, () => this.endAtSource());
  }

  endAtSource(): void {
    if (this.#isOverAtSource) return;
    this.#isOverAtSource = true;
    this.source.streamEnded(this, this.#from);
    this.#network.send(this.source.host, this.standby.host, () => this.endAtStandby());
  }

  pump(): void {
    if (this.#isOverAtSource || this.#sending) return;
    const { disk } = this.source;
    const begin = this.standby.disk.end;
    if (begin >= disk.flushed) return;
    this.#sending = true;
    const records = disk.records.slice(begin, disk.flushed);
    const history = disk.history.filter(({ at }, index) => index === 0 || at < disk.flushed);
    this.#network.send(this.source.host, this.standby.host, () => {
      this.standby.whenRunning(this.#to, () => {
        if (this.#isOverAtStandby || this.standby.disk.end !== begin) return;
        this.#heardAtMs = this.source.time.nowMs;
        this.standby.recovery.receive(this.#to, records, history, () => this.#confirm());
      });
    });
  }

  #confirm(): void {
    if (this.#isOverAtStandby) return;
    const { flushed } = this.standby.disk;
    this.#network.send(this.standby.host, this.source.host, () => {
      this.source.whenRunning(this.#from, () => {
        if (this.#isOverAtSource) return;
        this.#sending = false;
        this.flushed = Math.max(this.flushed, flushed);
        this.repliedAtMs = this.source.time.nowMs;
        this.source.commits.confirmed(this.#from);
        this.pump();
      });
    });
  }

  #tick(): void {
    if (this.#isOverAtSource && this.#isOverAtStandby) return;
    const { source, standby } = this;
    const { time } = source;
    const isOpen = this.#network.isOpen(source.host, standby.host) && this.#network.isOpen(standby.host, source.host);
    const isAnswered = isOpen && !this.#to.isStill && !this.#from.isStill;
    if (isAnswered) this.#heardAtMs = time.nowMs;
    if (isOpen && (this.#isOverAtSource || this.#isOverAtStandby)) {
      this.endAtSource();
      this.endAtStandby();
      return;
    }
    if (isAnswered) {
      this.repliedAtMs = time.nowMs;
      // What was lost on the way is sent again, as TCP does.
      if (this.#sending) this.#confirm();
      this.#sending = false;
      this.pump();
    } else if (time.nowMs - this.#heardAtMs > silentMs) {
      this.endAtSource();
      this.endAtStandby();
      return;
    }
    time.after(tickMs, () => this.#tick());
  }
}
