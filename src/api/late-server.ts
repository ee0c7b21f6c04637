/**
 * Where a node asks for new certificates after a long outage, with one that has expired. A port of its own, so that the
 * agents' API goes on ending at the TLS handshake for whoever has no good certificate.
 *
 * Invariant: there is one route, `POST /v1/certificate`, for nodes that the spec names and whose certificate is judged good but
 * for its age (pki/lately-expired.ts); the handshake has proved its key. Whoever is anybody else is cut off before a byte of his
 * request is read.
 */
import { constants, type X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import type { AuditTrail } from '../audit/trail.ts';
import { tls13Suites, tlsLimits } from '../core/tls-policy.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Credentials } from '../pki/credential-files.ts';
import { answerInTime } from './answer-time.ts';
import { audited } from './audited.ts';
import type { AgentBackend } from './contract/backend.ts';
import { routes } from './contract/routes.ts';
import { failureOf } from './failure.ts';
import { endServer, listenAt } from './listening.ts';
import { readJsonBody } from './request.ts';
import { requests } from './schemas/requests.ts';
import type { ApiLog } from './serve.ts';

export interface LateServerOptions {
  readonly backend: Pick<AgentBackend, 'identify' | 'issue'>;
  readonly tls: Credentials;
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  readonly log: ApiLog;
  readonly audit: AuditTrail;
  readonly judge: (
    certificate: X509Certificate | undefined,
  ) => { readonly known: true; readonly node: string } | { readonly known: false; readonly because: string };
}

export interface LateServer {
  /** Where it listens. Throws PORT_IN_USE. */
  listen(): Promise<number>;
  renew(tls: Credentials): void;
  close(): Promise<void>;
}

const limits = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 1_000,
  connectionsCheckingInterval: 1_000,
  handshakeTimeout: 5_000,
} as const;
/** After a long outage all app nodes come at once; each is served in a second or so. */
const maxConnections = 256;

function tlsOptions({ caPem, certificatePem, keyPem }: Credentials) {
  // Agents alone come here: nobody who knows no better.
  const { minVersion } = tlsLimits('modern');
  const secureOptions = constants.SSL_OP_NO_TICKET;
  return { ca: caPem, cert: certificatePem, key: keyPem, minVersion, ciphers: tls13Suites, secureOptions };
}

export function createLateServer(options: LateServerOptions): LateServer {
  const { audit, log } = options;
  // What TLS says of the certificate is asked for anew, but for its age.
  const callers = new WeakMap<Socket, X509Certificate>();
  const verification = { requestCert: true, rejectUnauthorized: false };
  const server = createServer({ ...limits, ...tlsOptions(options.tls), ...verification }, (request, response) => {
    void serve(options, callers, request, response);
  });
  server.maxConnections = maxConnections;
  server.on('secureConnection', (socket) => {
    const certificate = socket.getPeerX509Certificate();
    const caller = options.judge(certificate);
    if (caller.known && certificate !== undefined) {
      callers.set(socket, certificate);
      return;
    }
    const because = caller.known ? 'no certificate was presented' : caller.because;
    log.debug({ from: socket.remoteAddress, because }, 'a late caller was cut off');
    audit.record('handshake.refused', { as: 'nobody known', from: socket.remoteAddress }, { because });
    socket.destroy();
  });
  server.on('tlsClientError', (error) => log.debug({ because: error.message }, 'TLS handshake failed'));
  server.on('error', (error) => log.warn({ because: error.message }, 'late callers can not connect'));
  return {
    async listen() {
      try {
        return (await listenAt(server, options)).port;
      } catch (cause) {
        throw new UnderstudyError('PORT_IN_USE', `the agent can't listen on ${options.address}:${options.port}`, {
          cause,
        });
      }
    },
    renew: (tls) => server.setSecureContext(tlsOptions(tls)),
    async close() {
      if (server.listening) await endServer(server, 0);
    },
  };
}

/** Never rejects. */
async function serve(
  options: LateServerOptions,
  callers: WeakMap<Socket, X509Certificate>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    // Again: it may have been revoked since its handshake.
    const caller = options.judge(callers.get(request.socket));
    if (!caller.known) throw new UnderstudyError('CERTIFICATE_REFUSED', caller.because);
    const { node } = caller;
    if (options.backend.identify(node) === 'unknown') {
      throw new UnderstudyError('FORBIDDEN', `${node} is no node of this cluster`);
    }
    const { method, path, withinMs } = routes.certificate;
    if (request.method !== method || request.url !== path) {
      throw new UnderstudyError('NOT_FOUND', `only ${method} ${path} is served here`);
    }
    const body = await readJsonBody(request);
    const { wishes } = requests.certificate.parse(body);
    const who = { as: `node/${node}`, from: request.socket.remoteAddress };
    const issued = await audited(options.audit, 'certificate', { body, parameters: [], who }, () =>
      answerInTime(response, withinMs, () => options.backend.issue(node, wishes)),
    );
    send(response, 200, { issued });
  } catch (error) {
    const { answer, isDefect, status } = failureOf(error);
    const because = describeError(error);
    if (isDefect) options.log.warn({ because }, 'a request failed');
    else options.log.debug({ because }, 'a request was refused');
    if (response.headersSent || request.socket.destroyed) response.destroy();
    else send(response, status, answer);
  }
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    connection: 'close',
  };
  response.writeHead(status, headers);
  response.end(text);
}
