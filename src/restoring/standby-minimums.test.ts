import { expect, it } from 'vitest';
import { asksForMore, doubled, parseMinimums } from './standby-minimums.ts';

const output = `wal_level setting:                    replica
max_connections setting:              200
max_worker_processes setting:         8
max_wal_senders setting:              24
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
`;
const asked = {
  max_connections: 200,
  max_worker_processes: 8,
  max_wal_senders: 24,
  max_prepared_transactions: 0,
  max_locks_per_transaction: 64,
};

it('reads what the WAL was written under, by the names of the settings', () => {
  expect(parseMinimums(output)).toEqual(asked);
  expect(doubled(asked)).toMatchObject({ max_connections: 400, max_prepared_transactions: 0 });
});

it('knows when one of them is to be larger', () => {
  expect(asksForMore(asked, asked)).toBe(false);
  expect(asksForMore(asked, doubled(asked))).toBe(false);
  expect(asksForMore({ ...asked, max_wal_senders: 25 }, asked)).toBe(true);
  expect(asksForMore({ ...asked, max_prepared_transactions: 1 }, doubled(asked))).toBe(true);
});
