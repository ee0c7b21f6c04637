/**
 * How a server of the agent begins to listen, and how it ends.
 *
 * Invariant: it ends in bounded time, whoever is connected.
 */
import { once } from 'node:events';
import type { Server } from 'node:https';

export interface Listening {
  readonly address: string;
  readonly port: number;
}

/** `port` 0: any free one; answers which. Throws what the system says. */
export async function listenAt(server: Server, { address, port }: Listening): Promise<Listening> {
  server.listen({ host: address, port });
  await once(server, 'listening');
  const bound = server.address();
  return { address, port: typeof bound === 'object' && bound !== null ? bound.port : port };
}

/** Answers under way get `patienceMs`; then every connection is closed. */
export async function endServer(server: Server, patienceMs: number): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const patience = setTimeout(() => server.closeAllConnections(), patienceMs);
  await closed;
  clearTimeout(patience);
}
