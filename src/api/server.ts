/**
 * The agent's API over HTTPS.
 *
 * Invariant: whoever has no certificate of the cluster's authority gets no further than the TLS handshake, and of a
 * request by anybody who may not make it nothing is read but its head. Every request ends: by its answer, by an error, or
 * by a limit on time or size; and none can end the agent. Plain node:https and a table: a web framework cost 8 to 13 MB of
 * an agent's memory (docs/adr/0005).
 */
import { createServer } from 'node:https';
import type { AuditTrail } from '../audit/trail.ts';
import type { TlsPolicy } from '../core/tls-policy.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Credentials } from '../pki/credential-files.ts';
import type { RevokedSerials } from '../ports/revoked.ts';
import type { AgentBackend } from './contract/backend.ts';
import { type RouteName, routes } from './contract/routes.ts';
import { EventStream } from './event-stream.ts';
import { onRefusedHandshake } from './handshakes.ts';
import { endServer, type Listening, listenAt } from './listening.ts';
import { endRevoked } from './revoked-connections.ts';
import { type ApiLog, serve } from './serve.ts';
import { followTls, tlsOptions } from './server-tls.ts';
import { defaultStreamLimits, type StreamLimits } from './stream-writer.ts';
import { TopologyStream } from './topology-stream.ts';
import { serveUpgrades } from './upgrade.ts';

export interface ApiServerOptions {
  readonly backend: AgentBackend;
  readonly tls: Credentials;
  /** Of now: asked before each connection. Default: modern. */
  readonly policy?: () => TlsPolicy;
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  readonly log: ApiLog;
  readonly audit: AuditTrail;
  /** Left out: none is. */
  readonly revoked?: Pick<RevokedSerials, 'has' | 'onChange'> | undefined;
  readonly streams?: Partial<StreamLimits>;
  /** Of a route, in ms; default: the route's own. */
  readonly answerWithinMs?: (route: RouteName) => number;
}

export interface ApiServer {
  /** Where it listens. Throws PORT_IN_USE, CONFIG_INVALID. */
  listen(): Promise<Listening>;
  /** New connections get this certificate; those that stand go on. Throws CERTIFICATE_REFUSED. */
  renew(tls: Credentials): void;
  /** Ends streams, waits a moment for answers under way, and closes every connection. */
  close(): Promise<void>;
}

const closePatienceMs = 1_000;
const limits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 5_000,
  /** Of receiving a request, so that streams are not meant. */
  requestTimeout: 10_000,
  keepAliveTimeout: 60_000,
  connectionsCheckingInterval: 1_000,
  handshakeTimeout: 5_000,
  noDelay: true,
} as const;
/** A stream and a connection for reports from each of hundreds of app nodes, and room. */
const maxConnections = 4_096;

export function createApiServer(options: ApiServerOptions): ApiServer {
  const { answerWithinMs = (route: RouteName) => routes[route].withinMs, audit, backend, log } = options;
  const streamLimits = { ...defaultStreamLimits, ...options.streams };
  const topology = new TopologyStream(backend, streamLimits);
  const events = new EventStream(backend, streamLimits);
  const { policy = () => 'modern', revoked } = options;
  const isRevoked = (serial: string): boolean => revoked?.has(serial) === true;
  const serving = { backend, log, audit, answerWithinMs, topology, events, peers: new WeakMap(), isRevoked };
  const spoken = policy();
  const server = createServer(
    { ...limits, ...tlsOptions(options.tls, spoken), requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      // It never rejects: it answers its errors.
      void serve(serving, request, response);
    },
  );
  server.maxConnections = maxConnections;
  const endUpgraded = serveUpgrades(server, serving);
  const renew = followTls(server, { tls: options.tls, spoken }, policy);
  const forget = revoked === undefined ? () => undefined : endRevoked(server, revoked);
  onRefusedHandshake(server, ({ because, from }) => {
    log.debug({ from, because }, 'TLS handshake failed');
    audit.record('handshake.refused', { as: 'nobody known', from }, { because });
  });
  server.on('error', (error) => {
    // Of listening, which `listen` throws too; or of accepting, as when there are no file descriptors left.
    log.warn({ because: error.message }, 'the API can not take a connection');
  });
  return {
    async listen() {
      try {
        return await listenAt(server, options);
      } catch (cause) {
        const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
        const where = `${options.address}:${options.port}`;
        throw new UnderstudyError(isTaken ? 'PORT_IN_USE' : 'CONFIG_INVALID', `the agent can't listen on ${where}`, {
          cause,
        });
      }
    },
    renew,
    async close() {
      forget();
      topology.close();
      events.close();
      endUpgraded();
      if (server.listening) await endServer(server, closePatienceMs);
    },
  };
}
