/**
 * Says who did not get past the TLS handshake, and why: no certificate, another authority's, one that has expired.
 *
 * Who only knocks, as a check of the port does, has shown nothing that could be refused, and is passed over.
 */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

export interface RefusedHandshake {
  readonly from: string | undefined;
  /** A code of Node's, such as CERT_HAS_EXPIRED. */
  readonly because: string;
}

export function onRefusedHandshake(server: Server, listener: (refused: RefusedHandshake) => void): void {
  // Node destroys a connection whose certificate it refuses before it tells of it, and with it the address.
  let closed: string | undefined;
  server.on('connection', (socket: Socket) => {
    const from = socket.remoteAddress;
    socket.once('close', () => {
      closed = from;
    });
  });
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    const because = verdictOn(socket) ?? codeOf(error);
    if (!/^(?:ECONN|EPIPE|ETIMEDOUT|$)/.test(because)) listener({ from: socket.remoteAddress ?? closed, because });
  });
}

/** Its type says Error, and the server sets a code. */
function verdictOn(socket: TLSSocket): string | null {
  const verdict: unknown = socket.authorizationError;
  return typeof verdict === 'string' && verdict !== '' ? verdict : null;
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
