/**
 * A server of the fake cluster as clients reach it: a port on 127.0.0.1, and who is connected to it.
 *
 * Invariant: the port stays the same and stays taken, also while nobody is let in, so that no one else gets it. Nothing is
 * open any more when `end` has answered.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { ProxySession, type SessionDeps } from './session.ts';

export class ServerProxy {
  readonly #deps: SessionDeps;
  readonly #listener: Server;
  readonly #sessions = new Set<ProxySession>();
  readonly #barred = new Set<string>();
  #isFrozen = false;

  private constructor(deps: SessionDeps) {
    this.#deps = deps;
    this.#listener = createServer((socket) => this.#accept(socket));
  }

  static async start(deps: SessionDeps): Promise<ServerProxy> {
    const proxy = new ServerProxy(deps);
    await new Promise<void>((resolve, reject) => {
      proxy.#listener.once('error', reject);
      proxy.#listener.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    const address = this.#listener.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Nobody gets in, and whoever is connected is cut, until there is no reason left. Answers when no backend is left. */
  async bar(reason: string): Promise<void> {
    this.#barred.add(reason);
    await Promise.all([...this.#sessions].map((session) => session.cut()));
  }

  admit(reason: string): void {
    this.#barred.delete(reason);
  }

  /** Those that are in a transaction, or in the midst of a statement. */
  async cutBusy(): Promise<void> {
    await Promise.all([...this.#sessions].filter(({ isBusy }) => isBusy).map((session) => session.cut()));
  }

  freeze(isFrozen: boolean): void {
    this.#isFrozen = isFrozen;
    for (const session of this.#sessions) session.freeze(isFrozen);
  }

  async end(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#listener.close(() => resolve());
    });
    await this.bar('ended');
    await closed;
  }

  #accept(socket: Socket): void {
    if (this.#barred.size > 0) {
      socket.on('error', () => undefined);
      socket.resetAndDestroy();
      return;
    }
    const session = new ProxySession(socket, this.#deps, this.#isFrozen);
    this.#sessions.add(session);
    void session.closed.then(() => this.#sessions.delete(session));
  }
}
