/**
 * Throws requests of every kind at an agent's API over verified TLS: methods, paths, heads, bodies that are none, that are
 * cut, too large, too deep, or of the right shape with values from hell; as every kind of caller, and as bytes that are no HTTP.
 */

import { Agent, request as httpsRequest } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { mayCall, onBehalfOfHeader, passageProtocol, type RouteName, routes } from '../../src/api/contract/routes.ts';
import { errorAnswer } from '../../src/api/schemas/failure.ts';
import { specDisagreements } from '../../src/config/spec-disagreements.ts';
import { UnderstudyError } from '../../src/errors/understudy-error.ts';
import type { Random } from '../../src/sim/world/random.ts';
import type { ApiWorld, Callers } from '../fixtures/api-world.ts';
import { exampleReport, exampleSpec } from '../fixtures/fake-backend.ts';
import { Account, draws, type Span, type Tally } from './account.ts';
import { asJson, damaged, disturbed, huge, type Json, wildText, wildValue } from './wild.ts';

const bodies: Partial<Record<RouteName, Json>> = {
  promise: { term: 1, round: 1, forMs: 6_060 },
  lastWords: { file: '000000010000000000000003', offset: 0 },
  apply: asJson({ baseRevision: 3, spec: exampleSpec }),
  failover: { to: null, accept: { term: 9, counter: 41, covers: 'unheard', atLeastBytes: 7 } },
  readOnly: { on: true, reason: null },
  handsOff: { forMs: 60_000 },
  switchover: { to: 'pg1', forceAfterMs: null, without: [], dryRun: false, paceMs: 0 },
  report: asJson(exampleReport),
};
const isRouteName = (name: string): name is RouteName => Object.hasOwn(routes, name);
const names = Object.keys(routes).filter(isRouteName);
const passagePath = routes.backupPassage.path;
const methods: readonly string[] = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE', 'LOCK'];
const kinds = ['operator', 'viewer', 'database', 'app', 'witness', 'stranger', 'store'] as const;
type Kind = (typeof kinds)[number];

interface Sent {
  readonly as: Kind;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** 100-continue and streams aside, these are all that a request may come to. */
const clean: readonly number[] = [200, 400, 403, 404, 405, 408, 409, 413, 415, 431, 503];
/** What takes a connection alone says so to every request. */
const asksForUpgrade = 426;
const answerWithinMs = 10_000;

function wildRequest(random: Random): Sent {
  const name = random.pick(names);
  const { method, path } = routes[name];
  return {
    as: random.chance(0.7) ? random.pick(kinds.filter((kind) => isIn(kind, name))) : random.pick(kinds),
    method: random.chance(0.8) ? method : random.pick(methods),
    path: wildPath(random, path),
    headers: wildHeaders(random),
    body: wildBody(random, name),
  };
}

/** Most come from somebody who may ask: the others get no further than their certificate. */
function isIn(kind: Kind, name: RouteName): boolean {
  return kind !== 'stranger' && kind !== 'store' && mayCall(name, kind);
}

/** Only what may stand in a request line: what may not is sent as bytes, below. */
function wildPath(random: Random, path: string): string {
  const filled = path.replace(/:\w+/g, () => inPath(random) || 'web0');
  const query = random.chance(0.3) ? `?${random.pick(['after', 'follow', 'offset', 'x'])}=${inPath(random)}` : '';
  const whole = filled + query;
  const changed = random.chance(0.15) ? damaged(random, whole) : whole;
  return `/${changed.replace(/[^\x21-\x7e]/g, '%')}`.replace(/^\/+v1/, '/v1').slice(0, 8_000);
}

/** Percent-encoded; half a surrogate pair can't be. */
function inPath(random: Random): string {
  return encodeURIComponent(Buffer.from(wildText(random)).toString());
}

function wildHeaders(random: Random): Readonly<Record<string, string>> {
  const visible = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 2_000);
  return {
    ...(random.chance(0.85) ? { 'content-type': 'application/json' } : { 'content-type': visible(wildText(random)) }),
    ...(random.chance(0.2)
      ? { [onBehalfOfHeader]: visible(random.pick(['operator/', 'viewer/', '']) + wildText(random)) }
      : {}),
    ...(random.chance(0.1) ? { 'x-forwarded-for': visible(wildText(random)), host: visible(wildText(random)) } : {}),
    ...(random.chance(0.02) ? { 'x-long': 'x'.repeat(random.integer(1_000, 20_000)) } : {}),
  };
}

function wildBody(random: Random, name: RouteName): string {
  const example = bodies[name] ?? {};
  switch (random.integer(0, 9)) {
    case 0:
      return damaged(random, JSON.stringify(example));
    case 1:
      return JSON.stringify(wildValue(random, 4));
    case 2:
      return wildText(random);
    case 3:
      return random.chance(0.1) ? huge(random) : '';
    case 4:
      return random.chance(0.05) ? ' '.repeat(1024 * 1024 + 1) : JSON.stringify(example);
    default:
      return JSON.stringify(disturbed(random, example));
  }
}

const brokenHeads: readonly string[] = [
  'GET /v1/health HTTP/1.1\r\n\r\n',
  'GET /v1/health HTTP/9.9\r\nhost: x\r\n\r\n',
  'GET  /v1/health HTTP/1.1\r\nhost: x\r\n\r\n',
  'POST /v1/restart HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello',
  'POST /v1/restart HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
  'POST /v1/restart HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n{}',
  'POST /v1/restart HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
  'POST /v1/restart HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n',
  'GET /v1/status HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
  `POST ${passagePath} HTTP/1.1\r\nhost: x\r\nupgrade: ${passageProtocol}\r\nconnection: upgrade\r\n\r\n`,
  `POST ${passagePath}?version=2.45 HTTP/1.1\r\nhost: x\r\nupgrade: ${passageProtocol}\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\n{}`,
  'CONNECT pg0:5432 HTTP/1.1\r\nhost: pg0:5432\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
  'GET /v1/events?follow=true HTTP/1.1\r\nhost: x\r\n\r\n',
];

export async function fuzzRequests(world: ApiWorld, callers: Callers, span: Span): Promise<Tally> {
  const account = new Account('api');
  // What an agent asks of a spec before it is written.
  world.backend.apply = async ({ baseRevision, spec }) => {
    const [first] = specDisagreements(spec);
    if (first !== undefined) throw new UnderstudyError('REQUEST_INVALID', first);
    return { revision: baseRevision + 1 };
  };
  const agents = new Map<Kind, Agent>();
  for (const kind of kinds) {
    const { certificatePem: cert, keyPem: key } = callers[kind];
    agents.set(kind, new Agent({ keepAlive: true, maxSockets: 8, cert, key, rejectUnauthorized: false }));
  }
  const play = async (number: number, random: Random): Promise<void> => {
    // A handshake for each: a few are enough.
    if (random.chance(0.02)) return await playBytes(world, callers, account, number, random);
    const sent = wildRequest(random);
    const shown = JSON.stringify(sent);
    try {
      const agent = agents.get(sent.as);
      // A connection that is kept may have been closed for the request before: on one of its own there is no such excuse.
      const { status, text } = await send(world.port, agent, sent).catch(() => send(world.port, false, sent, callers));
      const isClean = clean.includes(status) || (status === asksForUpgrade && sent.path.startsWith(passagePath));
      if (!isClean) account.fault(number, `status ${status}: ${text.slice(0, 200)}`, shown);
      else if (status !== 200 && text !== '' && !errorAnswer.safeParse(JSON.parse(text)).success)
        account.fault(number, `status ${status} without an error that says what to do: ${text.slice(0, 200)}`, shown);
      else account.note(String(status));
    } catch (error) {
      account.fault(number, `no answer: ${String(error)}`, shown);
    }
  };
  try {
    const waiting: Promise<void>[] = [];
    for (const [number, random] of draws('api', span)) {
      waiting.push(play(number, random));
      if (waiting.length >= 16) await Promise.all(waiting.splice(0));
    }
    await Promise.all(waiting);
  } finally {
    for (const agent of agents.values()) agent.destroy();
  }
  return account.tally;
}

function send(
  port: number,
  agent: Agent | false | undefined,
  sent: Sent,
  callers?: Callers,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const { body, method, path } = sent;
    const hasBody = body !== '' && method !== 'GET' && method !== 'HEAD';
    const headers = { ...sent.headers, ...(hasBody ? { 'content-length': Buffer.byteLength(body) } : {}) };
    const own = callers?.[sent.as];
    const identity = own === undefined ? {} : { cert: own.certificatePem, key: own.keyPem };
    const server = { servername: 'pg0.psf.io', host: '127.0.0.1', rejectUnauthorized: false };
    const asked = httpsRequest({ ...identity, ...server, agent, port, method, path, headers, timeout: answerWithinMs });
    asked.on('timeout', () => asked.destroy(new Error(`nothing within ${answerWithinMs} ms`)));
    asked.on('error', reject);
    asked.on('response', (response) => {
      const status = response.statusCode ?? 0;
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        // It has no end.
        if (response.headers['content-type'] === 'application/x-ndjson') response.destroy();
      });
      response.on('error', () => undefined);
      response.on('close', () => resolve({ status, text }));
    });
    asked.end(hasBody ? body : undefined);
  });
}

/** Bytes may be cut off without a word; they must not stay unanswered for long, nor break anything. */
function playBytes(world: ApiWorld, callers: Callers, account: Account, number: number, random: Random): Promise<void> {
  const { certificatePem: cert, keyPem: key } = callers[random.pick(kinds)];
  const head = random.pick(brokenHeads);
  const text = random.chance(0.5) ? head : damaged(random, head);
  return new Promise((resolve) => {
    let heard = '';
    const socket: TLSSocket = connect(
      { host: '127.0.0.1', port: world.port, cert, key, rejectUnauthorized: false },
      () => {
        socket.end(text, 'latin1');
      },
    );
    const patience = setTimeout(() => socket.destroy(), answerWithinMs);
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      if (heard.includes('\r\n\r\n')) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(patience);
      const status = /^HTTP\/1\.1 (\d{3})/.exec(heard)?.[1];
      if (status === undefined) account.note('cut off');
      else if (status === '500') account.fault(number, 'status 500', JSON.stringify(text));
      else account.note(status);
      resolve();
    });
  });
}
