/**
 * One client of a proxy: its socket, the server's, and the relay between them.
 *
 * Invariant: when a session is cut, its backend is ended as well, and `cut` waits for that: what was not committed then
 * never will be. Frozen, it takes in what arrives and passes nothing on, in either direction.
 */
import type { Socket } from 'node:net';
import { Relay, type RelayPorts } from '../relay/relay.ts';
import { type Frame, FrameReader, WireError } from '../wire/frames.ts';
import { cancelRequest, message, startupCodes, startupWith, terminate } from '../wire/messages.ts';
import type { Upstream } from './upstream.ts';

export interface SessionDeps extends Pick<RelayPorts, 'behaviour' | 'commits'> {
  readonly upstream: Upstream;
  /** Such as `default_transaction_read_only=on`, from the start; `null`: nothing. */
  readonly setting: string | null;
}

/** A backend that does not hear of its end by then is left to find out itself. */
const backendEndsWithinMs = 5_000;
const cancelEveryMs = 200;

export class ProxySession {
  readonly #deps: SessionDeps;
  readonly #client: Socket;
  readonly #relay: Relay;
  readonly #fromClient = new FrameReader();
  readonly #fromServer = new FrameReader();
  /** `null`: the client has not said what it wants. */
  #server: Socket | null = null;
  #isFrozen: boolean;
  #isEnding = false;
  #backendGone: Promise<void> | null = null;
  /** Both sockets are closed. */
  readonly closed: Promise<void>;

  constructor(client: Socket, deps: SessionDeps, isFrozen: boolean) {
    this.#deps = deps;
    this.#client = client;
    this.#isFrozen = isFrozen;
    this.#relay = new Relay({
      behaviour: deps.behaviour,
      commits: deps.commits,
      toClient: (bytes) => this.#write(this.#client, bytes),
      toServer: (bytes) => this.#write(this.#server, bytes),
      cut: (first) => void this.#lose(first),
    });
    client.setNoDelay(true);
    client.on('error', () => undefined);
    client.on('data', (chunk: Buffer) => {
      this.#fromClient.push(chunk);
      this.#read();
    });
    client.on('drain', () => this.#balance());
    this.closed = new Promise((resolve) => {
      client.on('close', () => {
        this.#backendGone ??= this.#leave();
        void this.#backendGone.then(resolve);
      });
    });
    this.#balance();
  }

  /** A transaction is open, or a statement under way. */
  get isBusy(): boolean {
    return this.#relay.isBusy;
  }

  freeze(isFrozen: boolean): void {
    this.#isFrozen = isFrozen;
    this.#balance();
    if (!isFrozen) this.#read();
  }

  /** The client loses its connection at once, and whatever it was doing is broken off. */
  async cut(): Promise<void> {
    await this.#lose('client');
  }

  async #lose(first: 'client' | 'server'): Promise<void> {
    const { backendKey, isBusy } = this.#relay;
    this.#relay.close();
    if (first === 'client') this.#client.destroy();
    this.#backendGone ??= this.#endBackend();
    // Again and again: a statement that the backend has yet to begin is not cancelled.
    const cancel = (): void => {
      if (isBusy && backendKey !== null) this.#cancel(cancelRequest(backendKey));
    };
    cancel();
    const cancelling = setInterval(cancel, cancelEveryMs);
    await this.#backendGone;
    clearInterval(cancelling);
    this.#client.destroy();
    await this.closed;
  }

  /** The client has gone by itself: what it sent is still done. */
  async #leave(): Promise<void> {
    this.#read();
    await this.#endBackend();
    this.#relay.close();
  }

  async #endBackend(): Promise<void> {
    this.#isEnding = true;
    const server = this.#server;
    if (server === null || server.destroyed) return;
    const gone = new Promise<void>((resolve) => {
      server.once('close', () => resolve());
    });
    if (this.#relay.backendKey === null) server.destroy();
    else {
      server.end(terminate);
      server.resume();
    }
    const limit = setTimeout(() => server.destroy(), backendEndsWithinMs);
    await gone;
    clearTimeout(limit);
  }

  #cancel(request: Buffer): void {
    const socket = this.#deps.upstream.connect();
    socket.on('error', () => undefined);
    socket.end(request);
    socket.resume();
  }

  /** Whatever is whole by now, in both directions. */
  #read(): void {
    if (this.#isFrozen || this.#isEnding) return;
    const sockets = [this.#client, this.#server];
    for (const socket of sockets) socket?.cork();
    try {
      this.#drain(this.#fromClient, (frame) => this.#said(frame));
      this.#drain(this.#fromServer, (frame) => this.#relay.fromServer(frame));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#client.destroy();
    } finally {
      for (const socket of sockets) socket?.uncork();
    }
  }

  #drain(reader: FrameReader, take: (frame: Frame) => void): void {
    while (!this.#isEnding) {
      const isFirst = reader === this.#fromClient && this.#server === null;
      const frame = reader.next(isFirst ? 'startup' : 'message');
      if (frame === null) return;
      take(frame);
    }
  }

  #said(frame: Frame): void {
    if (this.#server === null) this.#begin(frame);
    else this.#relay.fromClient(frame);
  }

  #begin({ body, bytes }: Frame): void {
    const code = body.length < 4 ? 0 : body.readInt32BE(0);
    if (code === startupCodes.ssl || code === startupCodes.gssenc) this.#client.write('N');
    else if (code === startupCodes.cancel) {
      this.#cancel(bytes);
      this.#client.end();
    } else if (code >> 16 === startupCodes.protocol3) {
      const { setting } = this.#deps;
      this.#server = this.#connect();
      this.#server.write(setting === null ? message('', body) : startupWith(body, setting));
    } else throw new WireError('not protocol 3');
  }

  #connect(): Socket {
    const server = this.#deps.upstream.connect();
    server.setNoDelay(true);
    server.on('error', () => undefined);
    server.on('data', (chunk: Buffer) => {
      if (this.#isEnding) return;
      this.#fromServer.push(chunk);
      this.#read();
    });
    server.on('drain', () => this.#balance());
    server.on('close', () => {
      // What it said last, such as why it ends, comes before the end.
      if (!this.#isEnding) this.#client.end();
    });
    return server;
  }

  #write(socket: Socket | null, bytes: Buffer): void {
    if (socket === null || socket.destroyed || socket.writableEnded) return;
    if (!socket.write(bytes)) this.#balance();
  }

  /** Who is frozen, or whose counterpart does not take what is written, is not read from. */
  #balance(): void {
    const isHeld = (to: Socket | null): boolean => this.#isFrozen || to?.writableNeedDrain === true;
    if (isHeld(this.#server)) this.#client.pause();
    else this.#client.resume();
    if (this.#server === null || this.#isEnding) return;
    if (isHeld(this.#client)) this.#server.pause();
    else this.#server.resume();
  }
}
