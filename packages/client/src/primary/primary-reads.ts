/**
 * Reads by the pool's own connections, which lead to whoever may be written to.
 *
 * Invariant: a transaction that is READ ONLY around each, since these connections could write. Where a session's writes are
 * needed, who answers is asked in the same round trip whether it is the primary: a pooler may serve a standby meanwhile.
 */
import type { PoolClient } from 'pg';
import { CausalReadError } from '../errors.ts';
import { hasReached, type Position, parseSelf, selfQuery } from '../positions/position.ts';
import { readOnlyTransaction } from '../reading/read-only-transaction.ts';
import type { Readable } from '../reading/readable.ts';
import type { PrimaryReads } from '../reading/reads.ts';
import { resultsOf } from '../several-results.ts';
import { Deadline } from '../timing/deadline.ts';
import type { Connect } from './primary-access.ts';

/**
 * `beginWithinMs`: a server that lives answers BEGIN at once; how long the caller's own statement takes is his to bound, as
 * everywhere in `pg`.
 */
export function primaryReads(connect: Connect, beginWithinMs: number): PrimaryReads {
  return {
    readable(needs, moved) {
      const transaction: Readable['transaction'] = async (begin, work) => {
        const open = async (client: PoolClient): Promise<void> => {
          const time = new Deadline(beginWithinMs);
          time.onOver(() => client.connection.stream.destroy());
          try {
            if (needs === null) await client.query(begin);
            else await openWith(client, begin, needs, moved);
          } finally {
            time.clear();
          }
        };
        return await readOnlyTransaction(await connect(), open, work);
      };
      return {
        transaction,
        query: async (text, values) => await transaction('BEGIN READ ONLY', (client) => client.query(text, values)),
      };
    },
  };
}

async function openWith(
  client: PoolClient,
  begin: string,
  needs: Position,
  moved: (position: Position) => void,
): Promise<void> {
  const [, said] = resultsOf(await client.query(`${begin}; ${selfQuery}`));
  const self = parseSelf(said?.rows[0]);
  if (self === null || self.position === null) throw new CausalReadError('the server does not say where it is');
  if (self.role === 'primary') {
    if (self.position.timeline !== needs.timeline) moved(self.position);
    return;
  }
  if (!hasReached(self.position, needs))
    throw new CausalReadError('a standby answers in place of the primary, and lacks it');
}
