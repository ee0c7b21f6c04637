/**
 * Money between accounts: each transaction looks at every balance, moves an amount from one account to another, and
 * enters it in the ledger. Accounts are changed in their order, so that no two transactions wait for each other.
 */
import { z } from 'zod';
import type { History } from '../history/attempt.ts';
import type { Session } from './session.ts';
import { tablesOf } from './tables.ts';
import { type Draw, drawBelow, type Task } from './task.ts';
import { transact } from './transaction.ts';

const mostMoved = 5;
const row = z.object({ balances: z.array(z.int()) });

export function dealTransfers(run: string, bank: History['bank'], draw: Draw): () => Task {
  const { accounts, transfers } = tablesOf(run);
  const look = `select coalesce(json_agg(balance order by id), '[]') as balances from ${accounts}`;
  const change = `update ${accounts} set balance = balance + $2 where id = $1`;
  const enter = `insert into ${transfers} (id, from_account, to_account, amount) values ($1, $2, $3, $4)`;
  const changeBy = async (session: Session, account: number, amount: number): Promise<void> => {
    const { rowCount } = await session.query(change, [account, amount]);
    if (rowCount !== 1) throw new Error(`account ${account} is not there`);
  };
  let next = 0;
  return () => {
    const id = next++;
    const from = drawBelow(draw, bank.accounts);
    const to = (from + 1 + drawBelow(draw, bank.accounts - 1)) % bank.accounts;
    const amount = 1 + drawBelow(draw, mostMoved);
    let balances: readonly number[] | null = null;
    return {
      async perform(session, level) {
        return await transact(session, level, async () => {
          balances = row.parse((await session.query(look)).rows[0]).balances;
          const changes = [
            { account: from, by: -amount },
            { account: to, by: amount },
          ].sort((a, b) => a.account - b.account);
          for (const { account, by } of changes) await changeBy(session, account, by);
          await session.query(enter, [id, from, to, amount]);
        });
      },
      attempt: (circumstances, ending) => ({
        ...circumstances,
        ...ending,
        workload: 'bank',
        id,
        from,
        to,
        amount,
        balances,
      }),
    };
  };
}
