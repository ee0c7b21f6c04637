/**
 * Does every member of the store answer this node? The store itself hides the loss of one as long as a majority is there,
 * and then the loss of the next is that of the store.
 *
 * Asks etcd's `/health` (etcd documentation, "Monitoring etcd"), which a member answers with 200 only while it can reach a
 * majority itself. Reads only.
 */
import { urlToHttpOptions } from 'node:url';
import type { DoctorFinding } from '../api/contract/looks.ts';
import type { NodeFile } from '../config/node-file.ts';
import { describeError } from '../errors/understudy-error.ts';
import { bad, ok } from './finding.ts';
import { askHead, readTls, type Tls } from './https-answer.ts';

const check = 'store members';

export interface MemberAnswer {
  readonly endpoint: string;
  /** `null`: it is well. */
  readonly trouble: string | null;
}

export async function checkStoreMembers(store: NonNullable<NodeFile['store']>): Promise<readonly DoctorFinding[]> {
  const tls = readTls(store);
  if (tls === null) return [];
  const ask = async (endpoint: string): Promise<MemberAnswer> => ({
    endpoint,
    trouble: await troubleOf(endpoint, tls).catch((error: unknown) => describeError(error)),
  });
  return [judgeMembers(await Promise.all(store.endpoints.map(ask)))];
}

async function troubleOf(endpoint: string, tls: Tls): Promise<string | null> {
  const { status } = await askHead(tls, urlToHttpOptions(new URL('/health', endpoint)));
  return status === 200 ? null : `it is not healthy (${status})`;
}

/** At least one answer. */
export function judgeMembers(answers: readonly MemberAnswer[]): DoctorFinding {
  const ill = answers.flatMap(({ endpoint, trouble }) => (trouble === null ? [] : [`${endpoint}: ${trouble}`]));
  const well = answers.length - ill.length;
  const text = `${well} of ${answers.length} answer`;
  if (ill.length > 0) {
    const verdict = 2 * well > answers.length ? 'warning' : 'failure';
    const hint = 'start etcd there again: without a majority of its members the store answers nobody';
    return bad(check, verdict, [text, ...ill].join('; '), hint);
  }
  if (answers.length > 2) return ok(check, text);
  return ok(check, `${text}; the store bears the loss of none`);
}
