/**
 * Where a new node enrols: it has no certificate, and proves by a token that it was invited. A port of its own, so that the agents'
 * API goes on ending at the TLS handshake for whoever has no certificate.
 *
 * Invariant: there are two routes, `GET /v1/authority`, which says what is public anyway, and `POST /v1/enrol`. Requests are small, few
 * from one address, and each attempt is recorded, granted or refused. It listens only while somebody is expected.
 */
import { constants } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { Quota } from '../audit/quota.ts';
import type { AuditTrail } from '../audit/trail.ts';
import { tls13Suites, tlsLimits } from '../core/tls-policy.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Credentials } from '../pki/credential-files.ts';
import { answerInTime } from './answer-time.ts';
import type { AgentBackend } from './contract/backend.ts';
import { failureOf } from './failure.ts';
import { endServer, listenAt } from './listening.ts';
import { readJsonBody } from './request.ts';
import { requests } from './schemas/requests.ts';
import type { ApiLog } from './serve.ts';

export interface EnrolmentServerOptions {
  readonly backend: Pick<AgentBackend, 'cluster' | 'enrol'>;
  readonly tls: () => Credentials;
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  readonly log: ApiLog;
  readonly audit: AuditTrail;
  /** Counts on, whatever the wall clock does. */
  readonly nowMs: () => number;
}

export interface EnrolmentServer {
  /** Where it listens. Throws PORT_IN_USE. */
  listen(): Promise<number>;
  renew(): void;
  close(): Promise<void>;
}

export const enrolmentRoutes = {
  authority: { method: 'GET', path: '/v1/authority' },
  /** It starts a program, on a machine that may be busy. */
  enrol: { method: 'POST', path: '/v1/enrol', withinMs: 25_000 },
} as const;

const limits = {
  maxHeaderSize: 4 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 1_000,
  connectionsCheckingInterval: 1_000,
  handshakeTimeout: 5_000,
} as const;
const closePatienceMs = 2_000;
const maxConnections = 32;
/** Four signing requests have less than 2 kB. */
const bodyLimitBytes = 20 * 1024;
/** Of one address: a node that enrols asks twice. What a guess would cost is not the question, with 256 bits; work is. */
const attempts = { burst: 12, everyMs: 5_000, callers: 500 };

export function createEnrolmentServer(options: EnrolmentServerOptions): EnrolmentServer {
  const quota = new Quota(attempts);
  let server: Server | null = null;
  const create = (): Server => {
    const made = createServer({ ...limits, ...tlsOptions(options.tls()) }, (request, response) => {
      void serve(options, quota, request, response);
    });
    made.maxConnections = maxConnections;
    made.on('tlsClientError', (error) => options.log.debug({ because: error.message }, 'TLS handshake failed'));
    return made;
  };
  return {
    async listen() {
      const opened = create();
      const port = await listenAt(opened, options).then(
        (bound) => bound.port,
        (cause: unknown) => {
          const where = `${options.address}:${options.port}`;
          throw new UnderstudyError('PORT_IN_USE', `new nodes can't enrol: the agent can't listen on ${where}`, {
            cause,
          });
        },
      );
      opened.on('error', (error) => options.log.warn({ because: error.message }, 'new nodes can not connect'));
      server = opened;
      return port;
    },
    renew: () => server?.setSecureContext(tlsOptions(options.tls())),
    async close() {
      const open = server;
      server = null;
      // Whoever used the last token is being answered.
      if (open !== null) await endServer(open, closePatienceMs);
    },
  };
}

function tlsOptions({ certificatePem, keyPem }: Credentials) {
  const { minVersion } = tlsLimits('modern');
  const secureOptions = constants.SSL_OP_NO_TICKET;
  return { cert: certificatePem, key: keyPem, minVersion, ciphers: tls13Suites, secureOptions };
}

/** Never rejects. */
async function serve(
  options: EnrolmentServerOptions,
  quota: Quota,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const from = request.socket.remoteAddress ?? 'an unknown address';
  try {
    requireQuota(quota, from, options.nowMs());
    const { authority, enrol } = enrolmentRoutes;
    const asked = `${request.method} ${request.url}`;
    if (asked === `${authority.method} ${authority.path}`) {
      send(response, 200, { cluster: options.backend.cluster, caPem: options.tls().caPem });
      return;
    }
    if (asked !== `${enrol.method} ${enrol.path}`)
      throw new UnderstudyError('NOT_FOUND', 'new nodes enrol here; nothing else is served');
    send(response, 200, await enrolled(options, from, request, response));
  } catch (error) {
    const { answer, isDefect, status } = failureOf(error);
    const because = describeError(error);
    if (isDefect) options.log.warn({ because }, 'an enrolment failed');
    else options.log.debug({ because, from }, 'an enrolment was refused');
    if (response.headersSent || request.socket.destroyed) response.destroy();
    else send(response, status, answer);
  }
}

function requireQuota(quota: Quota, from: string, nowMs: number): void {
  // What was counted is told nowhere, but with it those are forgotten who have been quiet.
  quota.takeCounted(nowMs);
  if (quota.admits('enrolment', from, nowMs)) return;
  throw new UnderstudyError('TOO_MANY_ATTEMPTS', `too many attempts to enrol came from ${from}`);
}

async function enrolled(
  { audit, backend }: EnrolmentServerOptions,
  from: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<unknown> {
  const who = { as: 'nobody known', from };
  let node = 'a node that is not named';
  try {
    const wanted = requests.enrol.parse(await readJsonBody(request, bodyLimitBytes));
    node = wanted.node;
    const within = enrolmentRoutes.enrol.withinMs;
    const { grant, orderedBy } = await answerInTime(response, within, () => backend.enrol(wanted));
    const purposes = grant.issued.map(({ purpose }) => purpose).join(' ');
    audit.record('enrolment.granted', { as: `node/${node}`, from }, { node, orderedBy, purposes });
    return grant;
  } catch (error) {
    const because = isUnderstudyError(error) ? describeError(error) : 'the request is none of ours';
    audit.record('enrolment.refused', who, { node, because });
    throw error;
  }
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    connection: 'close',
  };
  response.writeHead(status, headers);
  response.end(text);
}
