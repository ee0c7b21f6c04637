/**
 * Asks the cluster to take a new node in, as whoever has a token and no certificate.
 *
 * Invariant: the token's secret is told to nobody but a database node of the cluster: whose certificate a root signed whose
 * fingerprint the token has. Until then nothing is said, and nothing believed. Addresses are tried in turn, while none has refused.
 */
import { X509Certificate } from 'node:crypto';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { z } from 'zod';
import type { EnrolmentGrant } from '../api/contract/enrolment.ts';
import { enrolmentRoutes } from '../api/enrolment-server.ts';
import { answers } from '../api/schemas/answers.ts';
import { errorAnswer, isErrorCode } from '../api/schemas/failure.ts';
import type { CertificateWish } from '../core/certificates.ts';
import { tlsLimits } from '../core/tls-policy.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { fingerprintOf, type TokenContent } from '../pki/enrolment-token.ts';
import { identityFrom } from '../pki/identity.ts';
import { readCertificates } from '../pki/trust.ts';

const authorityWithinMs = 5_000;
const enrolWithinMs = enrolmentRoutes.enrol.withinMs + 5_000;
const answerLimitBytes = 1024 * 1024;

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Throws TOKEN_REFUSED, AGENT_UNREACHABLE with what each address came to, and what an agent answers. */
export async function askToEnrol(
  token: TokenContent,
  wishes: readonly CertificateWish[],
  signal: AbortSignal,
): Promise<EnrolmentGrant> {
  const failures: { readonly address: string; readonly error: UnderstudyError }[] = [];
  for (const address of token.addresses) {
    try {
      const place = placeOf(address);
      const rootPem = await rootAt(place, token, signal);
      return await grantAt(place, rootPem, token, wishes, signal);
    } catch (error) {
      if (!isUnderstudyError(error) || signal.aborted || !mayDoElsewhere(error)) throw error;
      failures.push({ address, error });
    }
  }
  const lines = failures.map(({ address, error }) => `  ${address}: ${error.message}`);
  const telling = failures.find(({ error }) => error.code !== 'AGENT_UNREACHABLE')?.error;
  throw new UnderstudyError(
    telling?.code ?? 'AGENT_UNREACHABLE',
    ['no database node could take this node in:', ...lines].join('\n'),
    {
      hint:
        telling?.hint ?? 'is the token over, or used? then nobody listens there; otherwise look for a firewall between',
    },
  );
}

/** Another database node may be well, or have the issuing key. */
function mayDoElsewhere({ code }: UnderstudyError): boolean {
  const there = ['AGENT_UNREACHABLE', 'STORE_UNREACHABLE', 'TIMEOUT', 'TOO_MANY_ATTEMPTS', 'NOT_FOUND'];
  return [...there, 'CERTIFICATE_REFUSED'].includes(code);
}

/** `host:port`, an IPv6 address in brackets. Throws REQUEST_INVALID. */
function placeOf(address: string): Place {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new UnderstudyError('REQUEST_INVALID', `${address} is no address with a port`);
  return { host, port: Number(match?.[3]) };
}

/** Of those that are shown the one that the token vouches for. Whoever answers is not believed: only held against the token. */
async function rootAt(place: Place, { cluster, roots }: TokenContent, signal: AbortSignal): Promise<string> {
  const { method, path } = enrolmentRoutes.authority;
  const options = { method, path, rejectUnauthorized: false };
  const shown = await ask(place, options, undefined, answers.enrolmentAuthority, {
    withinMs: authorityWithinMs,
    signal,
  });
  const root = (readCertificates(shown.caPem) ?? []).find(({ raw }) => roots.includes(fingerprintOf(raw)));
  if (root !== undefined && shown.cluster === cluster) return root.toString();
  throw new UnderstudyError('CERTIFICATE_REFUSED', `whoever answers there is not the cluster ${cluster} of the token`, {
    hint: 'somebody else listens at that address; or the root was replaced since the token was ordered: order another',
  });
}

async function grantAt(
  place: Place,
  rootPem: string,
  { cluster, domain, node, secret }: TokenContent,
  wishes: readonly CertificateWish[],
  signal: AbortSignal,
): Promise<EnrolmentGrant> {
  const { method, path } = enrolmentRoutes.enrol;
  const options: RequestOptions = {
    ...{ method, path, ca: rootPem },
    // Stands in the certificates of database nodes and of nobody else, whatever address they are reached by.
    servername: `postgresql.${domain}`,
    checkServerIdentity: (host: string, certificate: PeerCertificate) =>
      checkServerIdentity(host, certificate) ?? checkNode(cluster, certificate),
  };
  const within = { withinMs: enrolWithinMs, signal };
  return await ask(place, options, JSON.stringify({ node, secret, wishes }), answers.enrolment, within);
}

function checkNode(cluster: string, certificate: PeerCertificate): Error | undefined {
  const reading = identityFrom(new X509Certificate(certificate.raw));
  if (!reading.recognised) return new Error(reading.because);
  const { identity } = reading;
  return identity.kind === 'node' && identity.cluster === cluster
    ? undefined
    : new Error(`it is no node of ${cluster} who answers`);
}

function ask<T>(
  { host, port }: Place,
  options: RequestOptions,
  body: string | undefined,
  schema: z.ZodType<T>,
  { signal, withinMs }: { readonly signal: AbortSignal; readonly withinMs: number },
): Promise<T> {
  const { minVersion } = tlsLimits('modern');
  const headers =
    body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const late = AbortSignal.any([signal, AbortSignal.timeout(withinMs)]);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(failureOf(error, late));
    const sent = httpsRequest({ ...options, host, port, minVersion, headers, agent: false, signal: late });
    sent.on('error', fail);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > answerLimitBytes) response.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () => {
        try {
          resolve(read(response.statusCode, Buffer.concat(chunks).toString('utf8'), schema));
        } catch (error) {
          reject(error);
        }
      });
    });
    sent.end(body);
  });
}

function read<T>(status: number | undefined, text: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UnderstudyError('ANSWER_INVALID', 'what answers there is no database node of a cluster');
  }
  const told = status === 200 ? null : errorAnswer.safeParse(value);
  if (told?.success === true && isErrorCode(told.data.code))
    throw new UnderstudyError(told.data.code, told.data.message, { hint: told.data.hint });
  const parsed = status === 200 ? schema.safeParse(value) : null;
  if (parsed?.success === true) return parsed.data;
  throw new UnderstudyError('ANSWER_INVALID', `the answer (status ${status}) was not understood`);
}

function failureOf(error: unknown, signal: AbortSignal): UnderstudyError {
  if (signal.aborted) return new UnderstudyError('AGENT_UNREACHABLE', 'no answer came in time', { cause: error });
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (/^(?:ECONN|EHOST|ENET|ENOTFOUND|EAI_|EPIPE|ETIMEDOUT)/.test(code)) {
    const because = code === 'ECONNREFUSED' ? 'nobody listens there' : describeError(error);
    return new UnderstudyError('AGENT_UNREACHABLE', because, { cause: error });
  }
  return new UnderstudyError('CERTIFICATE_REFUSED', `whoever answers there could not be verified`, { cause: error });
}
