/** Puts one question to every database node, or to one node by name: each answers for itself, or is known not to have. */
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { ClusterAccess, Question } from './cluster-access.ts';

export interface Answered<T> {
  readonly node: string;
  readonly answer: T;
}

export interface Unanswered {
  readonly node: string;
  readonly error: unknown;
}

export type Reading<T> = Answered<T> | Unanswered;

/** In the order of their names. Throws when none answered, with every node's reason. */
export async function askEachNode<T>(
  access: ClusterAccess,
  node: string | undefined,
  question: Question<T>,
): Promise<readonly Reading<T>[]> {
  if (node === undefined || access.agent(node) === undefined) await learnNodes(access);
  const nodes = node === undefined ? access.databaseAgents.map((agent) => agent.node).sort() : [node];
  const readings = await Promise.all(nodes.map((name) => read(access, name, question)));
  if (readings.every((reading) => 'error' in reading)) throw nobody(readings);
  return readings;
}

/** For nodes that joined since the context file was written; those named there can be asked without it. */
async function learnNodes(access: ClusterAccess): Promise<void> {
  try {
    await access.status();
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
  }
}

async function read<T>(access: ClusterAccess, node: string, question: Question<T>): Promise<Reading<T>> {
  try {
    return { node, answer: await access.askNode(node, question) };
  } catch (error) {
    return { node, error };
  }
}

function nobody(readings: readonly Unanswered[]): unknown {
  const errors = readings.map(({ error }) => error);
  const [first] = errors;
  if (errors.length === 1 || !isUnderstudyError(first)) return first;
  const lines = errors.map((error) => `  ${describeError(error)}`);
  return new UnderstudyError(first.code, ['no agent could answer:', ...lines].join('\n'));
}
