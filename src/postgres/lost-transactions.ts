/**
 * Reads what `pg_waldump` prints (documentation "pg_waldump"; the texts are those of versions 13 to 18) and keeps account
 * of which transaction changed how many rows of which relation.
 *
 * Invariant: only what a COMMIT record past the fork names is counted as lost, with those of its subtransactions that it
 * names; a rolled back savepoint counts for nothing. Names nothing: relations are numbers here.
 * Lines that it does not know are passed over: they change no rows.
 */
import type { RowCounts } from '../core/lost-report.ts';
import { type Lsn, parseLsn } from '../core/lsn.ts';

/** `tablespace/database/file`, as WAL names a relation. */
export type RelationFile = string;

export interface CommittedTransaction {
  readonly xid: number;
  readonly committedAt: string;
  readonly lsn: Lsn;
  readonly atLeast: boolean;
  readonly relations: ReadonlyMap<RelationFile, RowCounts>;
}

type Kind = keyof RowCounts;
type Counts = Record<Kind, number>;

const recordPattern = /^rmgr: (\w+)\s.*?, tx:\s*(\d+), lsn: ([0-9A-F]+\/[0-9A-F]+), prev \S+, desc: (.*)$/;
const relationPattern = /blkref #\d+: rel (\d+\/\d+\/\d+)/g;
const commitPattern = /^COMMIT(?:_PREPARED (\d+):)? (\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (\S+?);?(?:\s|$)/;
const nextXidPattern = /(?:\bnextXid (\d+)|; xid \d+:(\d+);)/;

const kinds: Readonly<Record<string, Kind>> = {
  INSERT: 'inserted',
  MULTI_INSERT: 'inserted',
  UPDATE: 'updated',
  HOT_UPDATE: 'updated',
  DELETE: 'deleted',
};

/** Transaction ids go round: is `a` older than `b`? (documentation 25.1.5) */
function isOlder(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** `2026-11-21 07:59:02.532916` of the C locale and the zone UTC, in which the program runs. */
function isoTime(text: string, zone: string): string {
  return zone === 'UTC' || zone === 'GMT' ? `${text.replace(' ', 'T')}Z` : `${text} ${zone}`;
}

function tuples(description: string): number {
  const match = /MULTI_INSERT(?:\+INIT)? (?:ntuples: (\d+)|(\d+) tuples)/.exec(description);
  return match === null ? 1 : Number(match[1] ?? match[2]);
}

export class LostTransactions {
  /** By transaction or subtransaction id: what it changed. */
  readonly #changes = new Map<number, Map<RelationFile, Counts>>();
  readonly #lost: CommittedTransaction[] = [];
  readonly #created = new Set<RelationFile>();
  /** Every transaction from this one on was seen from its first change. */
  #seenFrom: number | null = null;
  #last: Lsn | null = null;
  #firstLsn: Lsn | null = null;

  get lost(): readonly CommittedTransaction[] {
    return this.#lost;
  }

  /** Files that were made past the fork: elsewhere their numbers mean something else. */
  get created(): ReadonlySet<RelationFile> {
    return this.#created;
  }

  /** Where the last record past the fork starts. */
  get last(): Lsn | null {
    return this.#last;
  }

  get firstLsn(): Lsn | null {
    return this.#firstLsn;
  }

  /** `isPast`: the record lies past the fork; what comes before only completes the account of its transactions. */
  line(text: string, isPast: boolean): void {
    const match = recordPattern.exec(text);
    if (match === null) return;
    const [, manager = '', tx = '0', position = '', description = ''] = match;
    const lsn = parseLsn(position);
    if (lsn === undefined) return;
    this.#firstLsn ??= lsn;
    if (isPast) this.#last = lsn;
    switch (manager) {
      case 'Heap':
      case 'Heap2':
        this.#change(Number(tx), description);
        return;
      case 'Transaction':
        this.#end(Number(tx), lsn, description, isPast);
        return;
      case 'Standby':
      case 'XLOG':
        this.#next(description);
        return;
      case 'Storage':
        this.#create(description, isPast);
        return;
    }
  }

  #change(xid: number, description: string): void {
    const kind = kinds[/^\w+/.exec(description)?.[0] ?? ''];
    if (kind === undefined || xid === 0) return;
    // An update's second block is of the same relation; the first one names it.
    relationPattern.lastIndex = 0;
    const relation = relationPattern.exec(description)?.[1];
    if (relation === undefined) return;
    const relations = this.#changes.get(xid) ?? new Map<RelationFile, Counts>();
    this.#changes.set(xid, relations);
    const counts = relations.get(relation) ?? { inserted: 0, updated: 0, deleted: 0 };
    counts[kind] += tuples(description);
    relations.set(relation, counts);
  }

  #end(tx: number, lsn: Lsn, description: string, isPast: boolean): void {
    const commit = commitPattern.exec(description);
    const prepared = /^(?:COMMIT|ABORT)_PREPARED (\d+):/.exec(description)?.[1];
    const xid = prepared === undefined ? tx : Number(prepared);
    const subs = /; subxacts: ([\d ]+)/.exec(description)?.[1]?.trim().split(/\s+/).map(Number) ?? [];
    if (commit === null) {
      if (/^ABORT/.test(description)) for (const each of [xid, ...subs]) this.#changes.delete(each);
      return;
    }
    const relations = this.#take([xid, ...subs]);
    if (!isPast) return;
    const [, , time = '', zone = ''] = commit;
    const atLeast = this.#seenFrom === null || isOlder(xid, this.#seenFrom);
    this.#lost.push({ xid, committedAt: isoTime(time, zone), lsn, atLeast, relations });
  }

  #take(xids: readonly number[]): ReadonlyMap<RelationFile, RowCounts> {
    const all = new Map<RelationFile, Counts>();
    for (const xid of xids) {
      for (const [relation, counts] of this.#changes.get(xid) ?? []) {
        const sum = all.get(relation) ?? { inserted: 0, updated: 0, deleted: 0 };
        sum.inserted += counts.inserted;
        sum.updated += counts.updated;
        sum.deleted += counts.deleted;
        all.set(relation, sum);
      }
      this.#changes.delete(xid);
    }
    return all;
  }

  /** The first word on which transaction comes next tells from which one on nothing was missed. */
  #next(description: string): void {
    if (this.#seenFrom !== null || !/^(?:RUNNING_XACTS|CHECKPOINT)/.test(description)) return;
    const match = nextXidPattern.exec(description);
    const next = match?.[1] ?? match?.[2];
    if (next !== undefined) this.#seenFrom = Number(next);
  }

  #create(description: string, isPast: boolean): void {
    const path = /^CREATE (\S+)/.exec(description)?.[1];
    if (path === undefined || !isPast) return;
    const [, database, file] = /^base\/(\d+)\/(\d+)/.exec(path) ?? [];
    const [, space, inDatabase, inFile] = /^pg_tblspc\/(\d+)\/[^/]+\/(\d+)\/(\d+)/.exec(path) ?? [];
    if (database !== undefined) this.#created.add(`1663/${database}/${file}`);
    else if (space !== undefined) this.#created.add(`${space}/${inDatabase}/${inFile}`);
  }
}
