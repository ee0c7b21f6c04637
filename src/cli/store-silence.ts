/**
 * Finds out whether the store of the cluster still answers anybody, by asking every database agent.
 *
 * Invariant: only silence passes for silence. An agent whose word can't be had (a certificate that is not accepted, an
 * answer that makes no sense) may have its store; whoever can't tell is refused.
 */
import type { ClusterStatus } from '../core/status.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { ClusterAccess } from './cluster-access.ts';

/** An agent that has heard from its store within this time has one, in ms. */
const storeSilentAfterMs = 15_000;

type Word =
  | { readonly node: string; readonly status: Pick<ClusterStatus, 'storeAgeMs'> }
  | { readonly node: string; readonly error: unknown };

type Asked = Pick<ClusterAccess, 'databaseAgents' | 'askNode' | 'learn'>;

/** Throws REFUSED when an agent has its store, or can't be asked whether it has. */
export async function refuseWhileStoreAnswers(access: Asked): Promise<void> {
  const words = new Map<string, Word>();
  // A second time for those that only the answers of the first name.
  for (let round = 0; round < 2; round += 1) {
    const unasked = access.databaseAgents.filter(({ node }) => !words.has(node));
    for (const word of await Promise.all(unasked.map(({ node }) => ask(access, node)))) words.set(word.node, word);
  }
  const all = [...words.values()];
  const heard = all.find((word) => 'status' in word && hasStore(word.status));
  if (heard !== undefined) {
    throw new UnderstudyError('REFUSED', `the store answers the agent of ${heard.node}: this is for when it is lost`, {
      hint: 'people can work undisturbed with: understudy hands-off --for 2h',
    });
  }
  for (const word of all) {
    if ('error' in word && !isSilence(word.error)) throw unknownOf(word.node, word.error);
  }
}

async function ask(access: Asked, node: string): Promise<Word> {
  try {
    const status = await access.askNode(node, (client, asking) => client.status(asking));
    access.learn(status);
    return { node, status };
  } catch (error) {
    return { node, error };
  }
}

function hasStore({ storeAgeMs }: Pick<ClusterStatus, 'storeAgeMs'>): boolean {
  return storeAgeMs !== null && storeAgeMs <= storeSilentAfterMs;
}

function isSilence(error: unknown): boolean {
  return isUnderstudyError(error, 'AGENT_UNREACHABLE') || isUnderstudyError(error, 'STORE_UNREACHABLE');
}

function unknownOf(node: string, error: unknown): UnderstudyError {
  return new UnderstudyError(
    'REFUSED',
    `it is not known whether the store answers the agent of ${node}: ${describeError(error)}`,
    { cause: error, hint: `mend that, or end the agent of ${node} first if the store is lost for certain` },
  );
}
