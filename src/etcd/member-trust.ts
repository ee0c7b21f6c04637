/**
 * Asks every member of a store whether it accepts a client certificate, before that takes the place of one that it accepts: etcd
 * reads the roots that it trusts when it starts, and never again.
 *
 * Invariant: a member that is down says nothing against it: it reads its roots when it comes back.
 */
import { request } from 'node:https';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';

export interface ClientCredentials {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

const answerWithinMs = 3_000;
const silent = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'];

/** Throws STORE_CERTIFICATE when one refuses it. */
export async function requireTrustOf(endpoints: readonly string[], credentials: ClientCredentials): Promise<void> {
  const answers = await Promise.all(endpoints.map(async (endpoint) => await refusal(endpoint, credentials)));
  const refused = answers.filter((answer) => answer !== null);
  if (refused.length === 0) return;
  throw new UnderstudyError('STORE_CERTIFICATE', `a new certificate is not accepted: ${refused.join('; ')}`, {
    hint: 'restart these members of the store, one after another: they read the roots that they trust when they start',
  });
}

function refusal(endpoint: string, { ca, certificate: cert, key }: ClientCredentials): Promise<string | null> {
  return new Promise((resolve) => {
    const options = { ca, cert, key, timeout: answerWithinMs, agent: false } as const;
    const asked = request(new URL('/version', endpoint), options, (response) => {
      response.resume();
      resolve(null);
    });
    asked.on('timeout', () => asked.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })));
    asked.on('error', (error) => {
      const code = 'code' in error ? String(error.code) : '';
      resolve(silent.includes(code) ? null : `${endpoint}: ${describeError(error)}`);
    });
    asked.end();
  });
}
