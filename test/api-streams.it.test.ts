/** Streams: what followers get, and what becomes of slow ones. */
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { LineReader } from '../src/api/line-reader.ts';
import { parseTopologyMessage } from '../src/api/schemas/between-agents.ts';
import type { Credentials } from '../src/pki/credential-files.ts';
import { type ApiWorld, type Callers, issueCallers, raw, startApi, until } from './fixtures/api-world.ts';
import { exampleConfiguration, exampleEvent } from './fixtures/fake-backend.ts';

let callers: Callers;
let world: ApiWorld;
const open: Follower[] = [];

beforeAll(async () => {
  callers = await issueCallers();
});
beforeEach(async () => {
  world = await startApi(callers, { streams: { heartbeatMs: 50, drainWithinMs: 200, perIdentity: 3 } });
});
afterEach(async () => {
  for (const follower of open.splice(0)) follower.response.destroy();
  await world.close();
});

interface Follower {
  readonly response: IncomingMessage;
  readonly lines: unknown[];
  /** Empty lines too. */
  bytes: number;
  isOver: boolean;
}

async function follow(as: Credentials, path: string): Promise<Follower> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = httpsRequest({
      host: '127.0.0.1',
      port: world.port,
      path,
      agent: false,
      cert: as.certificatePem,
      key: as.keyPem,
      rejectUnauthorized: false,
    });
    sent.on('response', resolve);
    sent.on('error', reject);
    sent.end();
  });
  const lines: unknown[] = [];
  const follower: Follower = { response, lines, bytes: 0, isOver: false };
  const reader = new LineReader(1 << 26, (line) => lines.push(JSON.parse(line)));
  response.on('data', (chunk: Buffer) => {
    follower.bytes += chunk.length;
    reader.push(chunk);
  });
  response.on('error', () => {});
  response.on('close', () => {
    follower.isOver = true;
  });
  open.push(follower);
  expect(response.statusCode).toBe(200);
  return follower;
}

const topologies = (follower: Follower) => follower.lines.map(parseTopologyMessage);
const terms = (follower: Follower) => topologies(follower).map(({ topology }) => topology.term);
const stream = '/v1/topology/stream';

describe('the topology stream', () => {
  it('starts with what there is, sends every change, and signs of life', async () => {
    const follower = await follow(callers.database, stream);
    await until(() => follower.lines.length >= 1, 'first message');
    expect(topologies(follower)[0]?.configuration).toBeUndefined();
    world.backend.setTopology({ term: 9 });
    await until(() => terms(follower).includes(9), 'the change');
    const before = follower.lines.length;
    await until(() => follower.lines.length >= before + 3, 'signs of life');
  });

  it('sends several changes of one moment as one message', async () => {
    const follower = await follow(callers.database, stream);
    await until(() => follower.lines.length >= 1, 'first message');
    for (const term of [9, 10, 11]) world.backend.setTopology({ term });
    await until(() => terms(follower).includes(11), 'the last change');
    expect(terms(follower)).not.toContain(9);
    expect(terms(follower)).not.toContain(10);
  });

  it('tells an app node its configuration first, and again only when it changed', async () => {
    const follower = await follow(callers.app, stream);
    await until(() => follower.lines.length >= 1, 'first message');
    expect(topologies(follower)[0]?.configuration).toEqual(exampleConfiguration);
    world.backend.setTopology({ term: 9 });
    world.backend.setConfiguration({ ...exampleConfiguration });
    await until(() => terms(follower).includes(9), 'the change');
    world.backend.setConfiguration({ ...exampleConfiguration, specRevision: 4 });
    const revisions = () => topologies(follower).flatMap(({ configuration }) => configuration?.specRevision ?? []);
    await until(() => revisions().includes(4), 'the new configuration');
    expect(revisions()).toEqual([3, 4]);
  });

  it('serialises a change once, for however many', async () => {
    const followers = await Promise.all(
      [callers.database, callers.operator, callers.app].map((as) => follow(as, stream)),
    );
    await until(() => followers.every(({ lines }) => lines.length > 0), 'first messages');
    let serialised = 0;
    const counted = { toJSON: () => ++serialised };
    const message = { ...world.backend.topologyMessage(null).topology, term: 9 };
    Object.defineProperty(message, 'counted', { value: counted, enumerable: true });
    world.backend.topologyMessage = () => ({ topology: message });
    world.backend.setTopology({});
    await until(() => followers.every((follower) => terms(follower).includes(9)), 'the change');
    const numbers = followers.map(({ lines }) =>
      lines.map(
        (line) =>
          z.object({ topology: z.looseObject({ counted: z.number().optional() }) }).parse(line).topology.counted,
      ),
    );
    // All of them got the first serialisation: one number for one message.
    for (const own of numbers) expect(own.find((number) => number !== undefined)).toBe(1);
  });

  it('leaves out what a slow follower missed, and cuts it off when it never catches up', async () => {
    const slow = await follow(callers.database, stream);
    const quick = await follow(callers.operator, stream);
    await until(() => slow.lines.length >= 1, 'first message');
    slow.response.pause();
    const [standby] = world.backend.topologyMessage(null).topology.standbys;
    const standbys = Array.from({ length: 1_000 }, () => standby).flatMap((one) => one ?? []);
    const { backend } = world;
    let term = 8;
    const push = setInterval(() => backend.setTopology({ term: ++term, standbys }), 5);
    try {
      // Some 16 MB: more than the kernel keeps for it; and 200 times 5 ms: more than it may take.
      await until(() => quick.lines.length > 200, 'the quick one goes on');
      slow.response.resume();
      await until(() => slow.isOver, 'the slow one is cut off');
    } finally {
      clearInterval(push);
    }
    expect(quick.isOver).toBe(false);
    expect(slow.lines.length).toBeLessThan(quick.lines.length);
    expect(terms(slow)).toEqual(terms(slow).toSorted((a, b) => a - b));
  }, 30_000);

  it('ends for a node that leaves the spec, and for the oldest of too many', async () => {
    const first = await follow(callers.app, stream);
    const others = await Promise.all([1, 2, 3].map(() => follow(callers.app, stream)));
    await until(() => first.isOver, 'the oldest has to go');
    expect(others.map(({ isOver }) => isOver)).toEqual([false, false, false]);
    world.backend.roles.delete('web0');
    await until(() => others.every(({ isOver }) => isOver), 'it left the spec');
  });

  it('ends when the server does', async () => {
    const follower = await follow(callers.app, stream);
    await world.close();
    await until(() => follower.isOver, 'the end');
  });
});

describe('events', () => {
  const sequences = (lines: readonly unknown[]) =>
    lines.map((line) => z.object({ sequence: z.number() }).parse(line).sequence);

  it('come as lines after a number', async () => {
    const answer = await raw({ port: world.port, as: callers.operator, path: '/v1/events?after=1' });
    expect(answer.headers['content-type']).toBe('application/x-ndjson');
    expect(
      sequences(
        answer.text
          .trim()
          .split('\n')
          .map((line): unknown => JSON.parse(line)),
      ),
    ).toEqual([2, 3]);
    expect(await raw({ port: world.port, as: callers.operator, path: '/v1/events?after=3' })).toMatchObject({
      text: '',
    });
  });

  it.each(['after=x', 'after=-1', 'after=1e3', 'follow=yes', 'before=1'])('are refused for %s', async (query) => {
    const answer = await raw({ port: world.port, as: callers.operator, path: `/v1/events?${query}` });
    expect(answer).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } });
  });

  it('can be followed: each once, in order, with signs of life between', async () => {
    const follower = await follow(callers.operator, '/v1/events?after=2&follow=true');
    await until(() => follower.lines.length === 1, 'what there was');
    world.backend.journal.take([exampleEvent(4), exampleEvent(5)]);
    world.backend.journal.take([exampleEvent(5), exampleEvent(6)]);
    await until(() => follower.lines.length >= 4, 'what came');
    const { bytes } = follower;
    await until(() => follower.bytes > bytes, 'a sign of life');
    expect(sequences(follower.lines)).toEqual([3, 4, 5, 6]);
  });
});
