/**
 * How much local WAL a change of the primary costs (PROTOCOLS, "Invariants" 3), by what servers really held.
 *
 * Whoever is elected knows of what the last holder had written when it renewed; what came after that nobody can know. So
 * what it had at the renewal before must be there, but for the declared limit, whatever the agents wrote about it. Only a
 * person may accept more, and nobody in these worlds does. A planned move loses nothing at all, not even local commits.
 */
import type { WalRecord } from '../fakes/disk.ts';
import { recordBytes } from '../fakes/disk.ts';
import type { FakeServer } from '../fakes/server.ts';

export class LossWatch {
  readonly #limitBytes: number | null;
  /** What the holder of the lease had written when it renewed: before the last time, and the last time. */
  #before: readonly WalRecord[] = [];
  #last: readonly WalRecord[] = [];
  #primary: FakeServer | null = null;
  /** Rows that were answered as committed and that the newest primary has. */
  #answered: number[] = [];
  /** Terms that began with a handover. */
  readonly #handedOver = new Set<number>();

  constructor(limitBytes: number | null) {
    this.#limitBytes = limitBytes;
  }

  handedOver(term: number): void {
    this.#handedOver.add(term);
  }

  /** A server that can't be looked at, or that its agent does not see as it is, says nothing about itself. */
  renewed(server: FakeServer): void {
    const { process, disk } = server;
    if (server !== this.#primary || !server.isWritable || process?.freeze !== 'none' || !process.hasPostmaster) return;
    this.#before = this.#last;
    this.#last = disk.records.slice();
  }

  answered(server: FakeServer, row: number): void {
    if (server === this.#primary) this.#answered.push(row);
  }

  /** Answers what is wrong with it, if anything is. */
  becameWritable(server: FakeServer, term: number): { readonly kind: string; readonly text: string } | null {
    const isAnother = this.#primary !== null && this.#primary !== server;
    const found = isAnother ? this.#judge(server, term) : null;
    const rows = new Set(server.disk.records.map(({ row }) => row));
    this.#answered = this.#answered.filter((row) => rows.has(row));
    this.#primary = server;
    this.#before = [];
    this.#last = [];
    return found;
  }

  #judge(server: FakeServer, term: number): { readonly kind: string; readonly text: string } | null {
    const { records } = server.disk;
    if (this.#handedOver.has(term)) {
      const rows = new Set(records.map(({ row }) => row));
      const lost = this.#answered.filter((row) => !rows.has(row));
      if (lost.length === 0) return null;
      return { kind: 'handover-lost', text: `${server.node} was handed the lease and lacks ${lost.length} rows` };
    }
    const limit = this.#limitBytes;
    const parted = this.#before.findIndex(({ serial }, index) => serial !== records[index]?.serial);
    const lostBytes = parted < 0 ? 0 : (this.#before.length - parted) * recordBytes;
    if (limit === null || lostBytes <= limit) return null;
    return {
      kind: 'beyond-loss-limit',
      text: `${server.node} took over without ${lostBytes} bytes; the limit is ${limit}`,
    };
  }
}
