/**
 * Does every member of the store answer this node? The store itself hides the loss of one as long as a majority is there,
 * and then the loss of the next is that of the store.
 *
 * Asks etcd's `/health` (etcd documentation, "Monitoring etcd"), which a member answers with 200 only while it can reach a
 * majority itself. Reads only.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { DoctorFinding } from '../api/contract.ts';
import type { NodeFile } from '../config/node-file.ts';
import { describeError } from '../errors/understudy-error.ts';
import { bad, ok } from './finding.ts';

const check = 'store members';
const withinMs = 2_000;

export interface MemberAnswer {
  readonly endpoint: string;
  /** `null`: it is well. */
  readonly trouble: string | null;
}

export async function checkStoreMembers(store: NonNullable<NodeFile['store']>): Promise<readonly DoctorFinding[]> {
  let credentials: Credentials;
  try {
    const { ca, certificate, key } = store;
    credentials = { ca: readFileSync(ca), cert: readFileSync(certificate), key: readFileSync(key) };
  } catch {
    return []; // told by the checks of these files
  }
  const ask = async (endpoint: string): Promise<MemberAnswer> => ({
    endpoint,
    trouble: await troubleOf(endpoint, credentials).catch((error: unknown) => describeError(error)),
  });
  return [judgeMembers(await Promise.all(store.endpoints.map(ask)))];
}

interface Credentials {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

function troubleOf(endpoint: string, credentials: Credentials): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL('/health', endpoint), {
      ...credentials,
      agent: false,
      signal: AbortSignal.timeout(withinMs),
    });
    sent.on('error', reject);
    sent.on('response', ({ statusCode }) => {
      resolve(statusCode === 200 ? null : `it is not healthy (${statusCode})`);
      sent.destroy();
    });
    sent.end();
  });
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
