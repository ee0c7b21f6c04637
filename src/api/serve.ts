/**
 * Serves one request: who, may they, what, and the answer.
 *
 * Invariant: of a request by anybody who may not make it nothing is read but its head, and every one is answered or cut.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { AuditTrail } from '../audit/trail.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { answerInTime } from './answer-time.ts';
import { answersByRoute } from './answers.ts';
import { audited, whoCalls, whoIs } from './audited.ts';
import { authorise, callerOf, identify, type Peer, peerOf } from './caller.ts';
import type { AgentBackend } from './contract/backend.ts';
import type { Identity } from './contract/identities.ts';
import { onBehalfOfHeader, passageProtocol, type RouteName, routes } from './contract/routes.ts';
import { type EventStream, lineOf } from './event-stream.ts';
import { failureOf, HttpError } from './failure.ts';
import { readJsonBody, type Target, targetOf } from './request.ts';
import { eventsQuery } from './schemas/queries.ts';
import type { TopologyStream } from './topology-stream.ts';

/** pino's, as far as it is used here. */
export interface ApiLog {
  debug(facts: object, text: string): void;
  warn(facts: object, text: string): void;
}

export interface Serving {
  readonly backend: AgentBackend;
  readonly log: ApiLog;
  readonly answerWithinMs: (route: RouteName) => number;
  readonly topology: TopologyStream;
  readonly events: EventStream;
  readonly audit: AuditTrail;
  readonly peers: WeakMap<Socket, Peer>;
  readonly isRevoked: (serial: string) => boolean;
}

/** How long the rest of a refused body is read and thrown away. */
const discardMs = 1_000;

/** Never rejects. */
export async function serve(serving: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let peer: Peer | null = null;
  try {
    const isNew = !serving.peers.has(request.socket);
    peer = connectedPeer(serving, request);
    const identity = identify(peer, serving.backend, Date.now(), serving.isRevoked);
    if (isNew && identity.kind !== 'node') serving.audit.record('login', whoIs(peer), {});
    const target = targetOf(request.method ?? '', request.url ?? '');
    authorise(identity, target.route);
    if (target.route === 'events' || target.route === 'topologyStream') {
      stream(serving, target, peer, identity, response);
      return;
    }
    if (target.route === 'backupPassage') throw new HttpError(426, 'it takes a connection, not a request');
    const caller = callerOf(identity, headerOf(request, onBehalfOfHeader), target.route);
    const body = routes[target.route].method === 'POST' ? await readJsonBody(request) : undefined;
    const answer = answersByRoute[target.route];
    const { parameters, query } = target;
    const who = whoCalls(caller, peer);
    const value = await audited(serving.audit, target.route, { body, parameters, who }, () =>
      answerInTime(response, serving.answerWithinMs(target.route), async (signal) =>
        answer(serving.backend, { caller, parameters, query, body, signal }),
      ),
    );
    send(response, 200, value);
  } catch (error) {
    recordRefusal(serving, peer, request, error);
    sendFailure(serving, error, request, response);
  }
}

export function connectedPeer({ peers }: Serving, { socket }: IncomingMessage): Peer {
  if (!(socket instanceof TLSSocket) || !socket.authorized) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', 'the connection is not verified');
  }
  const peer = peers.get(socket) ?? peerOf(socket.getPeerX509Certificate(), socket.remoteAddress);
  peers.set(socket, peer);
  return peer;
}

/** Of whoever may not; other errors are none. */
export function recordRefusal({ audit }: Serving, peer: Peer | null, request: IncomingMessage, error: unknown): void {
  if (!isUnderstudyError(error) || (error.code !== 'FORBIDDEN' && error.code !== 'CERTIFICATE_REFUSED')) return;
  const who = peer === null ? { as: 'nobody known', from: request.socket.remoteAddress } : whoIs(peer);
  const [path] = (request.url ?? '').split('?');
  audit.record('request.refused', who, { route: `${request.method} ${path}`, because: error.message });
}

/** Headers that came twice are joined with a comma, which no percent-encoded name contains. */
function headerOf(request: IncomingMessage, header: string): string | undefined {
  const value = request.headers[header];
  return typeof value === 'object' ? value.join() : value;
}

function stream(serving: Serving, target: Target, peer: Peer, identity: Identity, response: ServerResponse): void {
  const { backend, events, topology } = serving;
  const isAllowed = (): boolean => {
    try {
      authorise(identify(peer, backend, Date.now(), serving.isRevoked), target.route);
      return true;
    } catch {
      return false;
    }
  };
  if (target.route === 'topologyStream') {
    topology.follow(identity, isAllowed, response);
    return;
  }
  const { after = 0, follow = false } = eventsQuery.parse(target.query);
  if (follow) {
    events.follow(after, isAllowed, response);
    return;
  }
  const lines = backend.events(after).map(lineOf).join('');
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'content-length': Buffer.byteLength(lines) });
  response.end(lines);
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value ?? null);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}

function sendFailure(serving: Serving, error: unknown, request: IncomingMessage, response: ServerResponse): void {
  // The asker has gone: nobody reads an answer.
  if (request.socket.destroyed || response.writableEnded) return;
  const { answer, isDefect, status } = failureOf(error);
  const facts = { route: `${request.method} ${request.url}`.slice(0, 200), because: describeError(error) };
  if (isDefect) serving.log.warn(facts, 'a request failed');
  else serving.log.debug(facts, 'a request was refused');
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (hasBody(request) && !request.complete) discardRest(request, response);
  // Whoever is told to upgrade is told to what (RFC 9110 section 15.5.22).
  if (status === 426) response.setHeader('upgrade', passageProtocol);
  send(response, status, answer);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Closing on unread data would reset the connection, and the answer could be lost with it. */
function discardRest(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('connection', 'close');
  request.resume();
  const patience = setTimeout(() => request.socket.destroy(), discardMs).unref();
  request.once('close', () => clearTimeout(patience));
}
