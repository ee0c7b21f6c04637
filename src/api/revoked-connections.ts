/**
 * Ends the connections of certificates that are revoked while they stand: TLS asks for a certificate once.
 *
 * Invariant: no request on such a connection is served from the moment of the revocation on (caller.ts); the connection goes a
 * moment later, so that who was refused, or has revoked his own, is told so.
 */
import type { Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { RevokedSerials } from '../ports/revoked.ts';

const lastWordsMs = 250;

/** Answers how to stop it. */
export function endRevoked(server: Server, revoked: Pick<RevokedSerials, 'has' | 'onChange'>): () => void {
  const open = new Map<TLSSocket, string>();
  server.on('secureConnection', (socket: TLSSocket) => {
    const serial = socket.getPeerX509Certificate()?.serialNumber;
    if (serial === undefined) return;
    open.set(socket, serial);
    socket.once('close', () => open.delete(socket));
  });
  return revoked.onChange(() => {
    for (const [socket, serial] of open) {
      if (revoked.has(serial)) setTimeout(() => socket.destroy(), lastWordsMs).unref();
    }
  });
}
