/** What is tried at the port for new nodes, and with orders of tokens and of people's certificates. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createAgentClient } from '../src/api/client.ts';
import { enrolmentPort } from '../src/config/node-file.ts';
import { tokenForAtLeastMs } from '../src/core/enrolment.ts';
import { newSecret, secretDigest } from '../src/pki/enrolment-token.ts';
import { createSigningRequest } from '../src/pki/signing-request.ts';
import { stagePorts } from '../src/stage/network.ts';
import { type Attempt, addressOf, callAgent, type Outcome, type Target } from './refusal-attempts.ts';
import { until } from './waiting.ts';

const hourMs = 3_600_000;

/** Between the clock that a token was ordered by and the one that it is judged by. */
const slackMs = 500;
/** An agent hears of a token by the store. */
const openWithinMs = 10_000;

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

export function enrolmentAttempts({ knockers, record }: Target): readonly Attempt[] {
  const { app1, operator, viewer } = knockers;
  const { cluster, domain } = record;
  const to = { cluster, node: 'db1', hostName: `db1.${domain}`, address: addressOf(record, 'db1') };
  const token = (node: string, forMs = hourMs, secret = newSecret()) => ({
    secret,
    order: { node, role: null, forMs, digest: secretDigest(cluster, node, secret) },
  });
  /** A good one, as an operator has it. */
  const ordered = async (forMs?: number, node = 'app1'): Promise<string> => {
    const { order, secret } = token(node, forMs);
    const client = createAgentClient({ ...to, port: stagePorts.api, tls: operator.credentials });
    try {
      await client.orderToken(order);
      await until('the port for new nodes opens', openWithinMs, 50, () => answers(to.address, port));
      return secret;
    } finally {
      client.close();
    }
  };
  const port = enrolmentPort({ port: stagePorts.api });
  const post = (path: string, body: unknown) => ({ method: 'POST', path, body }) as const;
  const enrol = (node: string, secret: string, wish: object = { purpose: 'node' }): Promise<Outcome> => {
    const wishes = [{ request: createSigningRequest().requestPem, ...wish }];
    return callAgent(record, 'db1', { as: null, port, ...post('/v1/enrol', { node, secret, wishes }) });
  };
  const on = (what: string, make: () => Promise<Outcome>): Attempt => ({ at: 'enrolment', what, make });
  const raw = async (text: string): Promise<Outcome> => {
    await ordered();
    return await callAgent(record, 'db1', { as: null, port, method: 'POST', path: '/v1/enrol', raw: text });
  };
  const order = (what: string, as: typeof operator, path: string, body: unknown): Attempt =>
    on(what, () => callAgent(record, 'db1', { as, ...post(path, body) }));
  const person = { role: 'operator', name: 'mallory', lifeMs: hourMs, request: createSigningRequest().requestPem };
  return [
    order('a viewer orders a token', viewer, '/v1/tokens', token('app1').order),
    order('an app node orders a token', app1, '/v1/tokens', token('app1').order),
    order('a token for a node that is not declared', operator, '/v1/tokens', token('db9').order),
    order('a token in another role', operator, '/v1/tokens', { ...token('app1').order, role: 'database' }),
    order('a token for a millisecond', operator, '/v1/tokens', token('app1', 1).order),
    order('a token for a year', operator, '/v1/tokens', token('app1', 8_760 * hourMs).order),
    order("a viewer orders an operator's certificate", viewer, '/v1/people', person),
    order("an operator's certificate for ten years", operator, '/v1/people', { ...person, lifeMs: 87_600 * hourMs }),
    on('a token that nobody ordered', async () => {
      await ordered();
      return await enrol('app1', newSecret());
    }),
    on("another node's token", async () => await enrol('db2', await ordered())),
    on('a token that is over', async () => {
      const secret = await ordered(tokenForAtLeastMs);
      // The port stays open for another.
      await ordered(hourMs, 'db2');
      await delay(tokenForAtLeastMs + slackMs);
      return await enrol('app1', secret);
    }),
    on('a token that was used', async () => {
      const secret = await ordered();
      const first = await enrol('app1', secret);
      return first.refused
        ? { refused: false, cameBack: `the first time: ${first.cameBack}` }
        : await enrol('app1', secret);
    }),
    on(
      'a good token, for an own certificate of any name',
      async () => await enrol('app1', await ordered(), { purpose: 'own', name: 'example.org' }),
    ),
    on('half a JSON, without a certificate', () => raw('{"node":')),
    on('a body of 64 KiB, without a certificate', () => raw(JSON.stringify('x'.repeat(65_536)))),
    on('the status, without a certificate', async () => {
      await ordered();
      return await callAgent(record, 'db1', { as: null, port, path: '/v1/status' });
    }),
  ];
}
