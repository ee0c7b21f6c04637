/**
 * Connections to one agent, verified both ways.
 *
 * Invariant: nothing is sent before the peer has shown a certificate of the cluster's authority, for the host name asked
 * for, whose identity is the very node that was meant. Connections are kept for the next request; sessions are not resumed,
 * since a resumed one is not verified again. New credentials are used from the next request on, and what is under way comes to
 * its end with the former ones. Nothing is tried twice here.
 */
import { X509Certificate } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { checkServerIdentity, createSecureContext, type PeerCertificate, TLSSocket } from 'node:tls';
import { tlsLimits } from '../core/tls-policy.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Credentials } from '../pki/credential-files.ts';
import { identityFrom, readCertificate } from '../pki/identity.ts';
import type { RevokedSerials } from '../ports/revoked.ts';

export interface AgentAddress {
  readonly cluster: string;
  readonly node: string;
  /** The name that its certificate must have. */
  readonly hostName: string;
  readonly address: string;
  readonly port: number;
}

export interface ConnectionOptions extends AgentAddress {
  /** A function answers those of now: the same object as long as they are the same. */
  readonly tls: Credentials | (() => Credentials);
  /** Left out: none is. */
  readonly revoked?: Pick<RevokedSerials, 'has' | 'onChange'> | undefined;
}

export interface Outgoing {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** With the head of the answer that did. */
export interface HandedOver {
  readonly socket: Duplex;
  readonly headers: IncomingHttpHeaders;
}

const keptConnections = 4;

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  // Also what an agent does that doesn't accept the caller's certificate: TLS 1.3 has verified the server by then.
  ECONNRESET: 'the connection was closed before an answer came; if that lasts, compare the authorities of both sides',
};

export class Connection {
  readonly #to: AgentAddress;
  readonly #credentials: () => Credentials;
  #tls: Credentials;
  #agent: Agent;
  readonly #former = new Set<Agent>();
  /** Connections that are somebody's own. */
  readonly #handedOver = new Set<Duplex>();
  readonly #revoked: ConnectionOptions['revoked'];
  readonly #forget: () => void;

  /** Throws CERTIFICATE_REFUSED when the own credentials can't be used. */
  constructor(options: ConnectionOptions) {
    const { tls, revoked, ...to } = options;
    this.#to = to;
    this.#credentials = typeof tls === 'function' ? tls : () => tls;
    this.#tls = this.#credentials();
    this.#revoked = revoked;
    this.#agent = agentFor(to, this.#tls, revoked);
    this.#forget = revoked?.onChange(() => this.#endRevoked()) ?? (() => undefined);
  }

  /** Settles when the head of the answer has come. Throws AGENT_UNREACHABLE, CERTIFICATE_REFUSED. */
  send(outgoing: Outgoing): Promise<IncomingMessage> {
    const { hostName } = this.#to;
    const { body, headers = {}, signal } = outgoing;
    return new Promise((resolve, reject) => {
      const request = httpsRequest({
        ...this.#options(outgoing),
        headers: { host: hostName, ...headers, ...(body === undefined ? {} : jsonHeaders(body)) },
      });
      request.on('response', resolve);
      request.on('error', (error) => reject(this.failure(error, signal)));
      request.end(body);
    });
  }

  /**
   * Asks for the connection itself. Settles with it, or with the head of an answer that refuses it; the signal is of the asking alone. It
   * is not kept for other requests, and goes when the peer's certificate is revoked. Throws as `send` does.
   */
  upgrade(outgoing: Omit<Outgoing, 'body'>, protocol: string): Promise<HandedOver | IncomingMessage> {
    const { signal } = outgoing;
    const headers = { ...outgoing.headers, connection: 'upgrade', upgrade: protocol };
    return new Promise((resolve, reject) => {
      const request = httpsRequest({ ...this.#options(outgoing), headers: { host: this.#to.hostName, ...headers } });
      request.on('upgrade', ({ headers }, socket, head) => {
        this.#handedOver.add(socket);
        socket.once('close', () => this.#handedOver.delete(socket));
        socket.on('error', () => socket.destroy());
        if (head.length > 0) socket.unshift(head);
        resolve({ socket, headers });
      });
      request.on('response', resolve);
      request.on('error', (error) => reject(this.failure(error, signal)));
      request.end();
    });
  }

  /** What an error of the connection means. */
  failure(error: unknown, signal: AbortSignal): UnderstudyError {
    const { address, node, port } = this.#to;
    const who = `the agent on ${node} (${address}:${port})`;
    if (signal.aborted) {
      return new UnderstudyError('AGENT_UNREACHABLE', `${who} ${describeError(signal.reason)}`, { cause: error });
    }
    if (Date.parse(readCertificate(this.#tls.certificatePem).validTo) <= Date.now()) {
      return new UnderstudyError('CERTIFICATE_REFUSED', 'the own certificate has expired', { cause: error });
    }
    const code = codeOf(error);
    if (isCertificateTrouble(code)) {
      return new UnderstudyError('CERTIFICATE_REFUSED', `${who} could not be verified`, { cause: error });
    }
    if (isRefusalOfOurs(code)) {
      return new UnderstudyError('CERTIFICATE_REFUSED', `${who} does not accept the own certificate`, { cause: error });
    }
    const because = reasons[code] ?? describeError(error);
    return new UnderstudyError('AGENT_UNREACHABLE', `${who} can't be reached: ${because}`, { cause: error });
  }

  close(): void {
    this.#forget();
    for (const agent of [this.#agent, ...this.#former]) agent.destroy();
    for (const socket of this.#handedOver) socket.destroy();
  }

  /** An agent whose certificate is revoked while it speaks is heard no longer. */
  #endRevoked(): void {
    const kept = [this.#agent, ...this.#former].flatMap((agent) =>
      [...Object.values(agent.sockets), ...Object.values(agent.freeSockets)].flat(),
    );
    for (const socket of [...kept, ...this.#handedOver]) {
      const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
      if (shown !== undefined && this.#revoked?.has(shown.serialNumber) === true) socket?.destroy();
    }
  }

  #options({ method, path, signal }: Outgoing) {
    const { address, hostName, port } = this.#to;
    const where = { host: address, port, servername: hostName };
    return { agent: this.#current(), ...where, method, path, signal, setHost: false };
  }

  #current(): Agent {
    const tls = this.#credentials();
    if (tls === this.#tls) return this.#agent;
    const former = this.#agent;
    this.#agent = agentFor(this.#to, tls, this.#revoked);
    this.#tls = tls;
    retire(former);
    for (const one of this.#former) if (Object.keys(one.sockets).length === 0) this.#former.delete(one);
    this.#former.add(former);
    return this.#agent;
  }
}

function agentFor(to: AgentAddress, tls: Credentials, revoked: ConnectionOptions['revoked']): Agent {
  return new Agent({
    keepAlive: true,
    maxFreeSockets: keptConnections,
    maxCachedSessions: 0,
    noDelay: true,
    // Read once, not for every connection.
    secureContext: contextOf(tls),
    checkServerIdentity: (host, certificate) =>
      checkServerIdentity(host, certificate) ?? checkNode(to, certificate, revoked),
  });
}

/** Idle connections end now, the others with their request. */
function retire(agent: Agent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}

function contextOf(tls: Credentials) {
  try {
    // Every agent speaks the best there is, whatever it lets others speak.
    const { minVersion } = tlsLimits('modern');
    return createSecureContext({ ca: tls.caPem, cert: tls.certificatePem, key: tls.keyPem, minVersion });
  } catch {
    // OpenSSL's text may quote a key.
    throw new UnderstudyError('CERTIFICATE_REFUSED', "the own certificate, its key or the authority's can't be used");
  }
}

function checkNode(
  to: AgentAddress,
  { raw }: PeerCertificate,
  revoked: ConnectionOptions['revoked'],
): Error | undefined {
  const certificate = new X509Certificate(raw);
  const reading = identityFrom(certificate);
  const isRevoked = revoked?.has(certificate.serialNumber) === true;
  const because = isRevoked ? 'its certificate has been revoked' : reading.recognised ? null : reading.because;
  if (reading.recognised && !isRevoked) {
    const { cluster, kind, name } = reading.identity;
    if (kind === 'node' && name === to.node && cluster === to.cluster) return undefined;
  }
  const text = because ?? `it is not ${to.node} of ${to.cluster} who answers`;
  return Object.assign(new Error(text), { code: 'ERR_TLS_CERT_IDENTITY' });
}

function jsonHeaders(body: string): Readonly<Record<string, string>> {
  return { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** OpenSSL's verification errors, as Node names them (Node documentation, "X509 certificate error codes"), and Node's own. */
function isCertificateTrouble(code: string): boolean {
  return /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_(?:CA|PURPOSE)$|PATH_LENGTH_|HOSTNAME_|ERROR_IN_CERT|ERR_TLS_CERT_)/.test(
    code,
  );
}

/** TLS alerts about a client's certificate (RFC 8446 section 6.2). */
function isRefusalOfOurs(code: string): boolean {
  return /^ERR_SSL_\w*ALERT_\w*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code);
}
