/** Lines as versions 15 and 17 print them. */
import { describe, expect, it } from 'vitest';
import { LostTransactions } from './lost-transactions.ts';

let position = 0x1000;
const record = (manager: string, tx: number, description: string) => {
  position += 0x40;
  const lsn = `0/${position.toString(16).toUpperCase().padStart(8, '0')}`;
  return `rmgr: ${manager.padEnd(11)} len (rec/tot):     59/    59, tx: ${String(tx).padStart(10)}, lsn: ${lsn}, prev 0/00001000, desc: ${description}`;
};
const orders = 'rel 1663/5/16384 blk 0';
const posts = 'rel 1663/6/16390 blk 3';
const time = '2026-11-21 07:59:02.532916 UTC';

function read(before: readonly string[], past: readonly string[]): LostTransactions {
  const transactions = new LostTransactions();
  for (const line of before) transactions.line(line, false);
  for (const line of past) transactions.line(line, true);
  return transactions;
}

const shown = (transactions: LostTransactions) =>
  transactions.lost.map(({ xid, relations, atLeast }) => {
    const rows = [...relations].map(
      ([name, { inserted, updated, deleted }]) => `${name} ${inserted}/${updated}/${deleted}`,
    );
    return `${xid}: ${rows.join(', ')}${atLeast ? ' at least' : ''}`;
  });

const running = record('Standby', 0, 'RUNNING_XACTS nextXid 730 latestCompletedXid 729 oldestRunningXid 730');

describe('what WAL says of lost transactions', () => {
  it('counts rows by relation and kind', () => {
    const lines = [
      record('Heap', 731, `INSERT off 3 flags 0x00, blkref #0: ${orders}`),
      record('Heap', 731, `INSERT+INIT off 1 flags 0x00, blkref #0: ${orders}`),
      record('Heap2', 731, `MULTI_INSERT 5 tuples flags 0x02, blkref #0: ${orders}`),
      record('Heap2', 731, `MULTI_INSERT+INIT ntuples: 4, flags: 0x02, offsets: [1, 2], blkref #0: ${orders}`),
      record(
        'Heap',
        731,
        `UPDATE off 11 xmax 731 flags 0x00 ; new off 1 xmax 0, blkref #0: ${posts}, blkref #1: ${posts}`,
      ),
      record('Heap', 731, `HOT_UPDATE old_xmax: 731, old_off: 2, blkref #0: ${posts}`),
      record('Heap', 731, `DELETE xmax: 731, off: 5, blkref #0: ${posts}`),
      record('Heap', 731, `LOCK off 5: xid 731, blkref #0: ${posts}`),
      record('Heap2', 0, `PRUNE snapshotConflictHorizon: 1, blkref #0: ${posts}`),
      record('Btree', 731, `INSERT_LEAF off 3, blkref #0: rel 1663/5/16390 blk 1`),
      record('Transaction', 731, `COMMIT ${time}`),
    ];
    expect(shown(read([running], lines))).toEqual(['731: 1663/5/16384 11/0/0, 1663/6/16390 0/2/1']);
  });

  it('takes the subtransactions that a commit names, and nothing that was rolled back', () => {
    const insert = (xid: number) => record('Heap', xid, `INSERT off 3 flags 0x00, blkref #0: ${orders}`);
    const lines = [
      ...[740, 741, 742, 743].map(insert),
      record('Transaction', 742, `ABORT ${time}`),
      record('Transaction', 740, `COMMIT ${time}; subxacts: 741; inval msgs: catcache 80`),
      record('Transaction', 743, `ABORT ${time}`),
    ];
    expect(shown(read([running], lines))).toEqual(['740: 1663/5/16384 2/0/0']);
  });

  it('knows transactions that were prepared', () => {
    const lines = [
      record('Heap', 750, `INSERT off 3 flags 0x00, blkref #0: ${orders}`),
      record('Transaction', 750, 'PREPARE gid x: 2026-11-21 07:59:02.1 UTC'),
      record('Transaction', 0, `COMMIT_PREPARED 750: ${time}`),
      record('Heap', 751, `INSERT off 3 flags 0x00, blkref #0: ${orders}`),
      record('Transaction', 0, `ABORT_PREPARED 751: ${time}`),
      record('Transaction', 751, `COMMIT ${time}`),
    ];
    expect(shown(read([running], lines))).toEqual(['750: 1663/5/16384 1/0/0', '751: ']);
  });

  it('follows a transaction back before the fork, and says when it can not', () => {
    const insert = (xid: number) => record('Heap', xid, `INSERT off 3 flags 0x00, blkref #0: ${orders}`);
    const commit = (xid: number) => record('Transaction', xid, `COMMIT ${time}`);
    const before = [insert(728), insert(729), running, insert(731), commit(728)];
    const past = [insert(729), insert(731), commit(729), commit(731)];
    expect(shown(read(before, past))).toEqual(['729: 1663/5/16384 2/0/0 at least', '731: 1663/5/16384 2/0/0']);
    expect(shown(read([], [commit(740)]))).toEqual(['740:  at least']);
  });

  it('tells the time, the place and the files that were made past the fork', () => {
    const lines = [
      record('Storage', 731, 'CREATE base/5/16400'),
      record('Storage', 731, 'CREATE pg_tblspc/16500/PG_15_202209061/5/16401'),
      record('Transaction', 731, `COMMIT ${time}; rels: base/5/16398`),
    ];
    const transactions = read([record('Storage', 730, 'CREATE base/5/16399'), running], lines);
    expect([...transactions.created]).toEqual(['1663/5/16400', '16500/5/16401']);
    expect(transactions.lost[0]?.committedAt).toBe('2026-11-21T07:59:02.532916Z');
    expect(transactions.last).toBe(transactions.lost[0]?.lsn);
  });

  it('passes over what is no record', () => {
    expect(shown(read([], ['', 'pg_waldump: first record is after 0/1, at 0/28, skipping over 39 bytes']))).toEqual([]);
  });
});
