/**
 * One request to etcd's JSON gateway (etcd documentation: "Why gRPC gateway"; under /v3 from 3.4 on) at one endpoint,
 * with a token.
 *
 * Invariants: no request waits longer than `durations.storeEndpointMs`; the password travels only in a body over
 * verified TLS and into no message; at most one authentication is under way. Doesn't choose endpoints; see endpoints.ts.
 */
import { Agent, buildConnector, type Dispatcher, request } from 'undici';
import { z } from 'zod';
import { type TlsPolicy, tls13Suites, tlsLimits } from '../core/tls-policy.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { CallOptions } from '../ports/store.ts';
import { withDeadline } from '../timing/deadline.ts';
import { durations } from '../timing/policies.ts';
import { type Answer, brokenRequest, type Refusal, refusalOf, Unanswered } from './failure.ts';

export interface EtcdTls {
  /** PEM, each. */
  readonly ca: string;
  readonly certificate?: string;
  readonly key?: string;
  /** Default: compatible. The store may be older than this. */
  readonly policy?: TlsPolicy;
}

export interface EtcdCredentials {
  readonly name: string;
  readonly password: string;
}

const authenticated = z.object({ token: z.string().min(1) });
/** More at once wait their turn; a stream holds one. */
const connectionsPerEndpoint = 8;

export class Gateway {
  readonly #agent: Agent;
  readonly #user: EtcdCredentials | null;
  #token: string | null = null;
  #authenticating: Promise<string> | null = null;

  /** A function is asked for each new connection: those that stand outlive a certificate. `user: null` while authentication is off, on a new etcd. */
  constructor(tls: EtcdTls | (() => EtcdTls), user: EtcdCredentials | null) {
    this.#user = user;
    this.#agent = new Agent({
      connect: connector(typeof tls === 'function' ? tls : () => tls),
      connections: connectionsPerEndpoint,
      keepAliveTimeout: 60_000,
      // Streams are silent for long; every other request has its deadline here.
      bodyTimeout: 0,
      headersTimeout: 0,
    });
  }

  /** Throws `Unanswered`, or `UnderstudyError` STORE_DENIED, STORE_CERTIFICATE, CONFLICT (exists already), BROKEN_INVARIANT. */
  async post<T>(endpoint: string, path: string, body: object, schema: z.ZodType<T>, call: CallOptions): Promise<T> {
    const token = await this.#tokenFor(endpoint);
    let answer = await this.#send(endpoint, path, body, token, call);
    if (answer.status !== 200 && refusalOf(answer).kind === 'stale-token') {
      // etcd refuses it before doing anything, so it may be sent again.
      this.forgetToken(token);
      answer = await this.#send(endpoint, path, body, await this.#tokenFor(endpoint), call);
    }
    if (answer.status !== 200) throw refusalError(endpoint, refusalOf(answer));
    const parsed = schema.safeParse(answer.json);
    if (parsed.success) return parsed.data;
    throw new Unanswered(`${endpoint} answered something that is not etcd's`, 'maybe', parsed.error);
  }

  /** Opens a stream; the caller reads its body and ends it by the signal. Throws like `post`. */
  async stream(endpoint: string, path: string, body: object, signal: AbortSignal): Promise<TokenedStream> {
    const token = await this.#tokenFor(endpoint);
    const response = await this.#request(endpoint, path, body, token, signal).catch((error: unknown) => {
      throw brokenRequest(endpoint, error);
    });
    if (response.statusCode === 200) return { body: response.body, token };
    const answer = { status: response.statusCode, json: await response.body.json().catch(() => null) };
    const refusal = refusalOf(answer);
    if (refusal.kind === 'stale-token') this.forgetToken(token);
    throw refusalError(endpoint, refusal);
  }

  /** Nothing happens when a newer token has replaced it already. */
  forgetToken(token: string | null): void {
    if (this.#token === token) this.#token = null;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #tokenFor(endpoint: string): Promise<string | null> {
    if (this.#user === null || this.#token !== null) return this.#token;
    this.#authenticating ??= this.#authenticate(endpoint, this.#user).finally(() => {
      this.#authenticating = null;
    });
    try {
      return await this.#authenticating;
    } catch (error) {
      // The request itself was not sent.
      throw error instanceof Unanswered ? new Unanswered(error.message, 'no', error) : error;
    }
  }

  /** Shared by all who wait for it: so it has a deadline of its own, and no one caller's signal. */
  async #authenticate(endpoint: string, user: EtcdCredentials): Promise<string> {
    const answer = await this.#send(endpoint, '/v3/auth/authenticate', user, null, {
      withinMs: durations.storeEndpointMs,
    });
    if (answer.status !== 200) throw refusalError(endpoint, refusalOf(answer));
    const parsed = authenticated.safeParse(answer.json);
    if (!parsed.success) throw new Unanswered(`${endpoint} gave no token`, 'no', parsed.error);
    this.#token = parsed.data.token;
    return parsed.data.token;
  }

  async #send(endpoint: string, path: string, body: object, token: string | null, call: CallOptions): Promise<Answer> {
    const withinMs = Math.max(1, Math.min(durations.storeEndpointMs, call.withinMs));
    try {
      return await withDeadline(withinMs, call.signal, async (signal) => {
        const response = await this.#request(endpoint, path, body, token, signal);
        return { status: response.statusCode, json: await response.body.json() };
      });
    } catch (error) {
      throw brokenRequest(endpoint, error);
    }
  }

  async #request(endpoint: string, path: string, body: object, token: string | null, signal: AbortSignal) {
    return await request(`${endpoint}${path}`, {
      method: 'POST',
      dispatcher: this.#agent,
      headers: { 'content-type': 'application/json', ...(token === null ? {} : { authorization: token }) },
      body: JSON.stringify(body),
      signal,
    });
  }
}

function connector(current: () => EtcdTls): buildConnector.connector {
  let made: { readonly tls: EtcdTls; readonly connect: buildConnector.connector } | null = null;
  return (options, callback) => {
    try {
      const tls = current();
      made = made?.tls === tls ? made : { tls, connect: connectorFor(tls) };
    } catch (error) {
      callback(error instanceof Error ? error : new Error('no certificate'), null);
      return;
    }
    made.connect(options, callback);
  };
}

function connectorFor({ ca, certificate, key, policy = 'compatible' }: EtcdTls): buildConnector.connector {
  const { ciphers, minVersion } = tlsLimits(policy);
  const identity = certificate === undefined || key === undefined ? {} : { cert: certificate, key };
  return buildConnector({
    ca,
    ...identity,
    minVersion,
    ciphers: `${tls13Suites}:${ciphers}`,
    timeout: durations.storeEndpointMs,
  });
}

export interface TokenedStream {
  readonly body: Dispatcher.ResponseData['body'];
  readonly token: string | null;
}

function refusalError(endpoint: string, refusal: Refusal): UnderstudyError | Unanswered {
  const text = `${endpoint}: ${refusal.text}`;
  switch (refusal.kind) {
    case 'denied':
    case 'stale-token':
      return new UnderstudyError('STORE_DENIED', text);
    case 'exists':
      return new UnderstudyError('CONFLICT', text);
    case 'rejected':
      return new UnderstudyError('BROKEN_INVARIANT', text);
    case 'unable':
      return new Unanswered(text, 'maybe');
  }
}
