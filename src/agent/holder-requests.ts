/**
 * What the agents of other database nodes ask of this one, for a switchover or while the store is silent.
 *
 * Invariant: nothing is promised to anybody but the holder that this agent knows of, and no WAL is handed out before the
 * release of the lease: until then this node may start its server again.
 */
import type { WalPiece, WalRequest } from '../core/last-words.ts';
import { answerOf, type PromiseAnswer, type PromiseRequest, promiseTo } from '../core/promise.ts';
import type { NodeName } from '../core/spec.ts';
import type { Postgres } from '../ports/postgres.ts';
import type { StoreImage } from '../records/store-image.ts';
import type { DatabaseNode } from './database-node.ts';
import type { ExecutionContext } from './execution-context.ts';
import { checkpointWithinMs } from './switchover-start.ts';

/** As far as it knows the store. */
interface Mirrored {
  readonly mirror: { readonly image: Pick<StoreImage, 'lease'> };
}

/** Only of use to the first logins after a promotion. */
const warmWithinMs = 2_000;

/** `by`: who asks, by its certificate. A holder of a later term is in the store already. */
export async function promiseHolder(
  agent: Mirrored & Pick<ExecutionContext, 'bind'>,
  request: PromiseRequest,
  by: NodeName,
): Promise<PromiseAnswer> {
  const lease = agent.mirror.image.lease?.value;
  if (lease?.state !== 'held' || lease.holder !== by || lease.term !== request.term) return { given: false, round: 0 };
  let answer: PromiseAnswer = { given: false, round: 0 };
  await agent.bind((record, now) => {
    const bound = promiseTo(record, request, now);
    answer = answerOf(bound ?? record, request.term, bound !== null);
    return bound;
  });
  return answer;
}

export async function lastWords(
  agent: Mirrored & { readonly node: NodeName; readonly postgres: Pick<Postgres, 'readWal'> },
  request: WalRequest,
): Promise<{ readonly piece: WalPiece | null }> {
  const lease = agent.mirror.image.lease?.value;
  if (lease?.state !== 'released' || lease.by !== agent.node) return { piece: null };
  return { piece: await agent.postgres.readWal(request) };
}

export async function checkpointAhead(
  agent: Pick<DatabaseNode, 'postgres' | 'spec'>,
  signal: AbortSignal,
): Promise<void> {
  const options = { withinMs: checkpointWithinMs, signal };
  await agent.postgres.checkpoint(options);
  const databases = agent.spec().databases.map(({ name }) => name);
  // Its failure is for those logins to notice.
  await agent.postgres.warm(databases, { ...options, withinMs: warmWithinMs }).catch(() => undefined);
}
