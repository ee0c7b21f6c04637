import { expect, it } from 'vitest';
import { endOfTransaction } from './delayed-standby.ts';

const line = (desc: string) =>
  `rmgr: Transaction len (rec/tot):     34/    34, tx: 735, lsn: 0/01502E38, desc: ${desc}`;

it('reads when a transaction ended, however it did', () => {
  for (const desc of [
    'COMMIT 2026-11-22 14:00:00.123456 UTC',
    'COMMIT 2026-11-22 14:00:00.123456 UTC; rels: base/5/16384; sync',
    'ABORT 2026-11-22 14:00:00.123456 UTC',
    'COMMIT_PREPARED 735: 2026-11-22 14:00:00.123456 UTC',
  ]) {
    expect(endOfTransaction(line(desc)), desc).toBe('2026-11-22T14:00:00.123456Z');
  }
  for (const desc of ['ASSIGNMENT xtop 735: subxacts: 736', 'PREPARE gid a: 2026-11-22 14:00:00.123456 UTC']) {
    expect(endOfTransaction(line(desc))).toBeNull();
  }
});
