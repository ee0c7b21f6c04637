/**
 * Checks a bank: money moves between accounts and is neither made nor lost, so that every snapshot, on every node and in
 * every transaction, however it ended, has the same total. And the balances at rest are what the ledger says.
 */
import type { History, Transfer } from './attempt.ts';
import type { Finding } from './finding.ts';
import type { ReadNode } from './node-state.ts';

type Bank = History['bank'];

const sum = (balances: readonly number[]): number => balances.reduce((total, balance) => total + balance, 0);

export function checkTotals(
  bank: Bank,
  transfers: readonly Transfer[],
  nodes: readonly ReadNode[],
): readonly Finding[] {
  const expected = bank.accounts * bank.opening;
  const wrong = (balances: readonly number[], node: string | null, atMs: number | null): readonly Finding[] => {
    const total = sum(balances);
    // With an account missing the total would be right if it held nothing.
    if (total === expected && balances.length === bank.accounts) return [];
    return [{ kind: 'wrong-total', workload: 'bank', total, expected, node, atMs }];
  };
  return [
    ...transfers.flatMap(({ balances, beganMs }) => (balances === null ? [] : wrong(balances, null, beganMs))),
    ...nodes.flatMap(({ contents, node }) => (contents.bank === null ? [] : wrong(contents.bank.balances, node, null))),
  ];
}

/** On the primary. A ledger's entries that nobody sent are told by their presence and can't be reckoned with. */
export function checkLedger(bank: Bank, transfers: readonly Transfer[], primary: ReadNode): readonly Finding[] {
  const held = primary.contents.bank;
  if (held === null) return [];
  const byId = new Map(transfers.map((transfer) => [transfer.id, transfer]));
  const expected = Array.from({ length: bank.accounts }, () => bank.opening);
  for (const id of new Set(held.transfers)) {
    const transfer = byId.get(id);
    if (transfer === undefined) continue;
    const { amount, from, to } = transfer;
    expected[from] = (expected[from] ?? 0) - amount;
    expected[to] = (expected[to] ?? 0) + amount;
  }
  return expected.flatMap((amount, account): Finding[] => {
    const balance = held.balances[account] ?? 0;
    if (balance === amount) return [];
    return [{ kind: 'wrong-balance', workload: 'bank', account, balance, expected: amount }];
  });
}
