/**
 * What must never be seen in a simulated world, whatever fails (PROTOCOLS, "Invariants" 1, 2 and 4), and what must hold
 * when it is over.
 *
 * Looks from outside, at servers and disks, never at what an agent believes. A server that just came back from being
 * stopped or suspended may answer for local commits until its fence has looked: that is promised to nobody.
 */
import type { SyncSet } from '../../core/durability.ts';
import type { NodeName } from '../../core/spec.ts';
import type { FakeServer } from '../fakes/server.ts';
import type { Commit } from '../fakes/server-process.ts';
import type { VirtualTime } from '../world/virtual-time.ts';
import { LossWatch } from './loss-watch.ts';

export interface Violation {
  readonly kind: string;
  readonly atMs: number;
  readonly text: string;
}

/** One look of the fence and one kill (fakes/fence.ts). */
const afterwordMs = 550;

export class Checks {
  readonly violations: Violation[] = [];
  readonly losses: LossWatch;
  /** Rows whose replicated commit was answered, in order. */
  #replicated: number[] = [];
  /** Terms whose holder was elected without what nobody who was heard had. */
  readonly #accepted = new Set<number>();
  readonly #time: VirtualTime;
  readonly #servers: () => Iterable<FakeServer>;
  #newest: FakeServer | null = null;
  #term = 0;
  #holder: NodeName | null = null;
  #record: SyncSet | null = null;

  constructor(time: VirtualTime, servers: () => Iterable<FakeServer>, lossLimitBytes: number | null) {
    this.losses = new LossWatch(lossLimitBytes);
    this.#time = time;
    this.#servers = servers;
  }

  /** The highest that was ever written. */
  get term(): number {
    return this.#term;
  }

  violated(kind: string, text: string): void {
    this.violations.push({ kind, atMs: this.#time.nowMs, text });
  }

  leaseWritten(term: number, holder: NodeName | null): void {
    if (term < this.#term) this.violated('term-went-back', `the lease went from term ${this.#term} to ${term}`);
    if (term === this.#term && holder !== null && this.#holder !== null && holder !== this.#holder) {
      this.violated('two-holders', `term ${term} was ${this.#holder}'s and is ${holder}'s`);
    }
    if (term !== this.#term || holder !== null) this.#holder = holder;
    this.#term = term;
  }

  durabilityWritten(record: SyncSet): void {
    this.#record = record;
  }

  lossAccepted(term: number): void {
    this.#accepted.add(term);
  }

  /** It is said aloud and recorded: not a commit more than what this term began without may be missing. */
  #isLossAccepted(server: FakeServer): boolean {
    return this.#holder === server.node && this.#accepted.has(this.#term);
  }

  becameWritable(server: FakeServer): void {
    // A promotion that a suspended host comes back with.
    if (this.#hasStoodStill(server) && this.#holder !== server.node) return;
    const other = this.#otherWritable(server);
    if (other !== null) this.violated('two-writable', `${server.node} became writable while ${other.node} is`);
    const loss = this.losses.becameWritable(server, this.#term);
    if (loss !== null) this.violated(loss.kind, loss.text);
    this.#newest = server;
    const rows = rowsOf(server);
    if (this.#isLossAccepted(server)) this.#replicated = this.#replicated.filter((row) => rows.has(row));
    const lost = this.#replicated.filter((row) => !rows.has(row));
    if (lost.length > 0) {
      this.violated('replicated-lost', `${server.node} became primary without ${listed(lost)}, answered as replicated`);
    }
  }

  acknowledged(server: FakeServer, commit: Commit): void {
    const other = this.#otherWritable(server);
    if (other !== null && !this.#hasStoodStill(server)) {
      this.violated('two-acknowledging', `${server.node} answered row ${commit.row} while ${other.node} is writable`);
    }
    this.losses.answered(server, commit.row);
    if (!commit.replicated) return;
    this.#countWhoHas(server, commit);
    const newest = this.#newest;
    const isSuperseded = newest !== null && newest !== server && newest.process?.role === 'primary';
    const isMissing = isSuperseded && !rowsOf(newest).has(commit.row);
    if (isMissing && this.#isLossAccepted(newest)) return;
    this.#replicated.push(commit.row);
    if (isMissing) {
      this.violated('replicated-lost', `${server.node} answered row ${commit.row}, which ${newest.node} lacks`);
    }
  }

  /** At rest, with everybody healthy: all nodes the same, and nothing lost that was promised. */
  atTheEnd(primary: FakeServer, standbys: readonly FakeServer[]): void {
    const rows = rowsOf(primary);
    const lost = this.#replicated.filter((row) => !rows.has(row));
    if (lost.length > 0)
      this.violated('replicated-lost', `in the end ${listed(lost)} of the replicated rows are missing`);
    for (const standby of standbys) {
      const at = standby.disk.records.findIndex(
        (record, index) => record.serial !== primary.disk.records[index]?.serial,
      );
      if (at >= 0) this.violated('silently-different', `${standby.node} differs from ${primary.node} at record ${at}`);
    }
  }

  /** Every set that can acknowledge must hold what the record, and with it an election, counts on. */
  #countWhoHas(server: FakeServer, { row }: Commit): void {
    const { standbys, k } = this.#record ?? { standbys: [], k: 0 };
    if (server.node !== this.#holder) return;
    const nodes = [...this.#servers()].filter(({ node, disk }) => {
      return standbys.includes(node) && disk.records.findLastIndex((record) => record.row === row) >= 0;
    });
    if (nodes.length >= k) return;
    const text = `${server.node} answered row ${row} as replicated, which ${nodes.length} of ${standbys.join(', ')} have`;
    this.violated('too-few-have-it', `${text}; the record says ${k}`);
  }

  #hasStoodStill(server: FakeServer): boolean {
    return this.#time.nowMs - server.stillUntilMs < afterwordMs;
  }

  #otherWritable(server: FakeServer): FakeServer | null {
    for (const other of this.#servers()) {
      if (other === server || !other.isWritable || !other.host.isAwake) continue;
      if (this.#hasStoodStill(other)) continue;
      return other;
    }
    return null;
  }
}

export function rowsOf(server: FakeServer): ReadonlySet<number> {
  return new Set(server.disk.records.map(({ row }) => row));
}

function listed(rows: readonly number[]): string {
  return rows.length <= 5 ? `rows ${rows.join(', ')}` : `${rows.length} rows, from ${rows[0]} on`;
}
