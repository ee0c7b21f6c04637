/**
 * Tells the applications of this host what its agent knows of the topology, by a Unix socket that everyone may open.
 *
 * Invariant: it only tells, the same to everybody, and asks nobody who he is. Whatever clients do costs the agent a bounded
 * number of connections and of bytes: one request for each connection, at most `streams` streams, and whoever does not
 * read is cut off. A socket that somebody else listens on is never taken from him.
 */
import { once } from 'node:events';
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { LocalTopologySource } from './contract/local-topology.ts';
import { defaultStreamLimits, type StreamLimits, StreamWriter } from './stream-writer.ts';

export interface LocalLimits extends Pick<StreamLimits, 'drainWithinMs' | 'heartbeatMs'> {
  readonly streams: number;
  /** All connections, those that ask once and those that say nothing yet among them. */
  readonly connections: number;
  /** Until a request is there as a whole. */
  readonly requestWithinMs: number;
}

export const defaultLocalLimits: LocalLimits = {
  ...defaultStreamLimits,
  streams: 256,
  connections: 320,
  requestWithinMs: 5_000,
};

/** A request to this has no headers worth speaking of. */
const maxHeadBytes = 4_096;

interface Follower {
  readonly writer: StreamWriter;
  missed: boolean;
}

export class LocalTopologyServer {
  readonly #source: LocalTopologySource;
  readonly #limits: LocalLimits;
  readonly #followers = new Set<Follower>();
  readonly #server: Server;
  #unsubscribe: () => void = () => undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(source: LocalTopologySource, limits: LocalLimits = defaultLocalLimits) {
    this.#source = source;
    this.#limits = limits;
    this.#server = createServer(
      {
        maxHeaderSize: maxHeadBytes,
        headersTimeout: limits.requestWithinMs,
        requestTimeout: limits.requestWithinMs,
        connectionsCheckingInterval: Math.min(1_000, limits.requestWithinMs),
        keepAlive: false,
      },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = limits.connections;
    this.#server.maxRequestsPerSocket = 1;
    this.#server.on('dropRequest', (_, socket) => socket.destroy());
    this.#server.on('clientError', (_, socket) => socket.destroy());
    this.#server.on('error', () => undefined); // of a single accept; those of `listen` are its own
  }

  /** Throws REFUSED when somebody listens there, or something else lies there; else what the system says. */
  async listen(path: string): Promise<void> {
    await removeStale(path);
    this.#server.listen(path);
    await once(this.#server, 'listening');
    chmodSync(path, 0o666);
    this.#heartbeat = setInterval(() => this.#upkeep(), this.#limits.heartbeatMs).unref();
  }

  /** Removes the socket. */
  async close(): Promise<void> {
    this.#unsubscribe();
    clearInterval(this.#heartbeat);
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    response.shouldKeepAlive = false;
    const path = request.method === 'GET' ? request.url : null;
    if (path === '/v1/topology') {
      answer(response, 200, this.#line());
    } else if (path !== '/v1/topology/stream') {
      const hint = 'ask for GET /v1/topology or GET /v1/topology/stream';
      answer(response, 404, failure(new UnderstudyError('NOT_FOUND', 'there is nothing here', { hint })));
    } else if (this.#followers.size < this.#limits.streams) {
      this.#follow(response);
    } else {
      const message = `${this.#limits.streams} streams are open already`;
      const hint = 'end those that nobody reads; one for each process is enough';
      answer(response, 503, failure(new UnderstudyError('REFUSED', message, { hint })));
    }
  }

  #follow(response: ServerResponse): void {
    const writer = new StreamWriter(
      response,
      () => {
        if (follower.missed) offer(follower, this.#line());
      },
      () => this.#left(follower),
    );
    const follower: Follower = { writer, missed: false };
    if (this.#followers.size === 0) this.#unsubscribe = this.#source.onChange(() => this.#broadcast());
    this.#followers.add(follower);
    offer(follower, this.#line());
  }

  /** What nobody follows is not asked after. */
  #left(follower: Follower): void {
    this.#followers.delete(follower);
    if (this.#followers.size > 0) return;
    this.#unsubscribe();
    this.#unsubscribe = () => undefined;
  }

  #upkeep(): void {
    for (const { writer } of this.#followers) writer.check(this.#limits);
    this.#broadcast();
  }

  #broadcast(): void {
    if (this.#followers.size === 0) return;
    const line = this.#line();
    for (const follower of this.#followers) offer(follower, line);
  }

  #line(): Buffer {
    return Buffer.from(`${JSON.stringify(this.#source.current())}\n`);
  }
}

/** What a slow one missed is left out; it gets the newest when it has read. */
function offer(follower: Follower, line: Buffer): void {
  follower.missed = !follower.writer.isReady;
  if (!follower.missed) follower.writer.write(line);
}

function answer(response: ServerResponse, status: number, body: Buffer | string): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}

function failure({ code, message, hint, retry }: UnderstudyError): string {
  return `${JSON.stringify({ code, message, hint, retry })}\n`;
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new UnderstudyError('REFUSED', `${path} is there and is no socket`, { hint: 'move it out of the way' });
  }
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } catch (error) {
    // Refused: whoever listened is gone. Gone itself: he has just removed it. Anything else may be somebody who is busy.
    if (!(error instanceof Error && 'code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ENOENT'))) {
      throw new UnderstudyError('REFUSED', `${path} may be in use: ${describeError(error)}`, { cause: error });
    }
    rmSync(path, { force: true });
    return;
  } finally {
    socket.destroy();
  }
  throw new UnderstudyError('REFUSED', `somebody listens at ${path}`, {
    hint: 'is there another agent of this node? It is tried again by itself',
  });
}
