import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Callers, issueCallers } from '../../test/fixtures/api-world.ts';
import { type CredentialFiles, writeCredentials } from '../pki/credential-files.ts';
import { askHead, readTls, type Tls } from './https-answer.ts';

let directory: string;
let callers: Callers;
let files: CredentialFiles;
let server: Server;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-doctor-'));
  callers = await issueCallers();
  files = await writeCredentials(directory, 'operator', callers.operator);
  const { caPem: ca, certificatePem: cert, keyPem: key } = callers.server;
  server = createServer({ ca, cert, key, requestCert: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

function tls(): Tls {
  const read = readTls(files);
  if (read === null) throw new Error('the credentials were not read');
  return read;
}

function question() {
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  return { host: '127.0.0.1', port, servername: 'pg0.psf.io', path: '/asked' };
}

describe('a question by HTTPS', () => {
  it('is over with the head of the answer: nobody waits for its body, and the connection is closed', async () => {
    const closed = new Promise((resolve) => {
      server.on('request', ({ url }, response) => {
        response.on('close', resolve);
        response.writeHead(503, { asked: url }).write('the rest never comes');
      });
    });
    expect(await askHead(tls(), question())).toMatchObject({ status: 503, headers: { asked: '/asked' } });
    await closed;
  });

  it('is not put to one of another name or of another authority', async () => {
    let heard = 0;
    server.on('request', () => (heard += 1));
    const other = { ...question(), servername: 'pg1.psf.io' };
    await expect(askHead(tls(), other)).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    const { caPem } = (await issueCallers()).operator;
    const trusting = { ...tls(), ca: Buffer.from(caPem) };
    await expect(askHead(trusting, question())).rejects.toThrow(/certificate/);
    expect(heard).toBe(0);
  });

  it('has no credentials while one of the three files is missing', () => {
    rmSync(files.key);
    expect(readTls(files)).toBeNull();
  });
});
