/** What a standby reaches of the primary for a backup, over real TLS: who may, both ways, and how it ends. */
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type AgentClient, createAgentClient } from '../src/api/client.ts';
import { passageProtocol } from '../src/api/contract/routes.ts';
import { isUnderstudyError, UnderstudyError } from '../src/errors/understudy-error.ts';
import type { TwoWay } from '../src/ports/repository.ts';
import { type ApiWorld, type Callers, issueCallers, raw, startApi, until } from './fixtures/api-world.ts';

let callers: Callers;
let world: ApiWorld;
let client: AgentClient;
/** The primary's end of each, while it is open. */
let ends: TwoWay[];
let recorded: string[];
let revoked: Set<string>;
let onRevoked: () => void;

beforeAll(async () => {
  callers = await issueCallers();
});
beforeEach(async () => {
  [ends, recorded, revoked, onRevoked] = [[], [], new Set(), () => undefined];
  const audit = {
    record: (kind: string, who: { readonly as: string } | null, facts: object) =>
      recorded.push(`${kind} ${who?.as} ${JSON.stringify(facts)}`),
  };
  const onChange = (listener: () => void) => {
    onRevoked = listener;
    return () => undefined;
  };
  world = await startApi(callers, { audit, revoked: { has: (serial) => revoked.has(serial), onChange } });
  world.backend.joined = (connection) =>
    new Promise((resolve) => {
      ends.push(connection);
      connection.pipe(connection);
      connection.once('close', () => {
        ends = ends.filter((each) => each !== connection);
        resolve();
      });
    });
  const to = { cluster: 'psf', node: 'pg0', hostName: 'pg0.psf.io', address: '127.0.0.1', port: world.port };
  client = createAgentClient({ ...to, tls: callers.database });
});
afterEach(async () => {
  client.close();
  await world.close();
});

function heardFrom(connection: Duplex): { text: string; isClosed: boolean } {
  const heard = { text: '', isClosed: false };
  connection.on('data', (chunk: Buffer) => {
    heard.text += chunk.toString();
  });
  connection.once('close', () => {
    heard.isClosed = true;
  });
  return heard;
}

const ask = (
  as: keyof Omit<Callers, 'authority'>,
  path = '/v1/backups/passage?version=2.45',
  upgrade = passageProtocol,
) => raw({ port: world.port, as: callers[as], method: 'POST', path, headers: { connection: 'upgrade', upgrade } });

it('hands a connection over to a database node, both ways, and says so in the audit log', async () => {
  const { connection, dataDirectory } = await client.backupPassage('2.45');
  expect(dataDirectory).toBe('/srv/data of pg0');
  const heard = heardFrom(connection);
  connection.write('as it was sent');
  await until(() => heard.text === 'as it was sent', 'it comes back');
  expect(world.backend.calls).toEqual([['passage', 'pg1 2.45']]);
  expect(recorded).toEqual(['passage.opened node/pg1 {"run":"B-0007"}']);
  // The link goes on serving others.
  expect(await client.health()).toMatchObject({ node: 'pg0' });
  connection.destroy();
  await until(() => ends.length === 0, 'the other end has ended');
});

it('is refused to whoever is no database node, before anything is opened', async () => {
  for (const as of ['operator', 'viewer', 'app', 'witness', 'stranger'] as const) {
    expect(await ask(as)).toMatchObject({ status: 403, json: { code: 'FORBIDDEN' } });
  }
  for (const as of ['otherCluster', 'store'] as const) {
    expect(await ask(as)).toMatchObject({ status: 403, json: { code: 'CERTIFICATE_REFUSED' } });
  }
  await expect(ask('otherAuthority')).rejects.toThrow();
  expect(world.backend.calls).toEqual([]);
  expect(recorded.filter((line) => line.startsWith('request.refused'))).toHaveLength(7);
});

it('hands nothing over that asks for anything else', async () => {
  expect(await ask('database', '/v1/backups/passage?version=2.45', 'websocket')).toMatchObject({ status: 400 });
  expect(await ask('database', '/v1/health')).toMatchObject({ status: 405 });
  expect(await ask('database', '/v1/nothing')).toMatchObject({ status: 404 });
  expect(await ask('database', '/v1/checkpoint')).toMatchObject({ status: 400 });
  expect(await ask('database', '/v1/backups/passage')).toMatchObject({ status: 400 });
  expect(await ask('database', '/v1/backups/passage?version=--config%3D/tmp/x')).toMatchObject({ status: 400 });
  const plain = { port: world.port, as: callers.database, method: 'POST', path: '/v1/backups/passage?version=2.45' };
  expect(await raw(plain)).toMatchObject({ status: 426, headers: { upgrade: passageProtocol } });
  expect(world.backend.calls).toEqual([]);
});

it('closes on whoever is refused and does not leave', async () => {
  const { certificatePem: cert, keyPem: key } = callers.app;
  const to = { host: '127.0.0.1', port: world.port, cert, key, rejectUnauthorized: false, allowHalfOpen: true };
  const heads = `host: x\r\nconnection: upgrade\r\nupgrade: ${passageProtocol}\r\ncontent-length: 2`;
  const socket = connect(to, () =>
    socket.write(`POST /v1/backups/passage?version=2.45 HTTP/1.1\r\n${heads}\r\n\r\n{}`),
  );
  const heard = heardFrom(socket);
  socket.on('error', () => undefined);
  await until(() => heard.text.includes('FORBIDDEN'), 'it is refused');
  await until(() => {
    // Who has closed answers this by a reset.
    if (!socket.destroyed) socket.write(' ');
    return heard.isClosed;
  }, 'it is closed');
});

it('is refused in the words of the primary', async () => {
  world.backend.failure = new UnderstudyError('REFUSED', 'no backup is running on pg1');
  const asked = client.backupPassage('2.45').catch((error: unknown) => error);
  const error = await asked;
  expect(isUnderstudyError(error, 'REFUSED') ? error.message : error).toBe('no backup is running on pg1');
});

it('ends with the primary, with its agent, and with the right to it', async () => {
  const byPrimary = heardFrom((await client.backupPassage('2.45')).connection);
  ends[0]?.destroy();
  await until(() => byPrimary.isClosed, 'the primary has ended it');
  const byRight = heardFrom((await client.backupPassage('2.45')).connection);
  world.backend.roles.set('pg1', 'app');
  await until(() => byRight.isClosed, 'the right to it has ended');
  world.backend.roles.set('pg1', 'database');
  const byRevocation = heardFrom((await client.backupPassage('2.45')).connection);
  const { X509Certificate } = await import('node:crypto');
  revoked.add(new X509Certificate(callers.database.certificatePem).serialNumber);
  onRevoked();
  await until(() => byRevocation.isClosed, 'its certificate is revoked');
  revoked.clear();
  const byAgent = heardFrom((await client.backupPassage('2.45')).connection);
  await world.close();
  await until(() => byAgent.isClosed, 'the agent has ended');
  expect(ends).toEqual([]);
});

it('ends when this node leaves its link', async () => {
  const heard = heardFrom((await client.backupPassage('2.45')).connection);
  client.close();
  await until(() => heard.isClosed && ends.length === 0, 'both ends have ended');
});
