/**
 * Hands a connection over to what a standby needs of the primary for a backup: an HTTP request with `Upgrade`, by the rights of any other.
 *
 * Invariant: before who calls and whether he may is known, nothing is handed over; and the connection ends with that right, with what
 * it was handed to, and with the server. It is told in the audit log.
 */
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { whoIs } from './audited.ts';
import { authorise, identify } from './caller.ts';
import { dataDirectoryHeader, passageProtocol } from './contract/routes.ts';
import { failureOf, HttpError } from './failure.ts';
import { targetOf } from './request.ts';
import { passageQuery } from './schemas/queries.ts';
import { connectedPeer, recordRefusal, type Serving } from './serve.ts';

const judgeEveryMs = 1_000;
/** A peer whose host has gone is found out by the kernel, within so long and ten seconds more. */
const keepAliveMs = 10_000;
/** How long whoever is refused has to take his answer, and to end what he sends. */
const refusedMs = 1_000;

/** Answers how to end what was handed over. */
export function serveUpgrades(server: Server, serving: Serving): () => void {
  const open = new Set<Duplex>();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    void serve(serving, request, socket, head);
  });
  return () => {
    for (const socket of open) socket.destroy();
  };
}

/** Never rejects. */
async function serve(serving: Serving, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  const { audit, backend, log } = serving;
  try {
    const { isAllowed, name, peer, version } = callerOf(serving, request);
    const passage = await backend.backups.passage(name, version);
    audit.record('passage.opened', whoIs(peer), { run: passage.run });
    if (socket instanceof TLSSocket) socket.setKeepAlive(true, keepAliveMs);
    const where = `${dataDirectoryHeader}: ${encodeURIComponent(passage.dataDirectory)}`;
    const heads = ['connection: upgrade', `upgrade: ${passageProtocol}`, where];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${heads.join('\r\n')}\r\n\r\n`);
    if (head.length > 0) socket.unshift(head);
    const judging = setInterval(() => {
      if (!isAllowed()) socket.destroy();
    }, judgeEveryMs);
    try {
      await passage.join(socket);
    } finally {
      clearInterval(judging);
      socket.destroy();
    }
  } catch (error) {
    const { answer, isDefect, status } = failureOf(error);
    const facts = { route: `${request.method} ${request.url}`.slice(0, 200), because: answer.message };
    if (isDefect) log.warn(facts, 'a request failed');
    else log.debug(facts, 'a request was refused');
    refuse(socket, status, answer);
  }
}

/** Throws as every route does for whoever may not, REQUEST_INVALID. */
function callerOf(serving: Serving, request: IncomingMessage) {
  let peer: ReturnType<typeof connectedPeer> | null = null;
  try {
    const known = connectedPeer(serving, request);
    peer = known;
    const judge = () => identify(known, serving.backend, Date.now(), serving.isRevoked);
    const identity = judge();
    const target = targetOf(request.method ?? '', request.url ?? '');
    authorise(identity, target.route);
    if (target.route !== 'backupPassage' || request.headers.upgrade !== passageProtocol) {
      throw new HttpError(400, 'nothing is upgraded here');
    }
    const { version } = passageQuery.parse(target.query);
    const isAllowed = (): boolean => {
      try {
        authorise(judge(), target.route);
        return true;
      } catch {
        return false;
      }
    };
    return { isAllowed, name: identity.name, peer: known, version };
  } catch (error) {
    recordRefusal(serving, peer, request, error);
    throw error;
  }
}

function refuse(socket: Duplex, status: number, answer: unknown): void {
  const text = JSON.stringify(answer);
  const head = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close`;
  // The server's own limits are of requests, and this is none any more: one that is never closed would stay.
  const patience = setTimeout(() => socket.destroy(), refusedMs).unref();
  socket.once('close', () => clearTimeout(patience));
  socket.resume();
  socket.end(`HTTP/1.1 ${status} Refused\r\n${head}\r\n\r\n${text}`);
}
