import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ownProcesses, readCommandLine } from './identity.ts';
import { type Joined, join } from './joined.ts';

let directory: string;
let server: Server;
let ours: Socket;
let theirs: Socket;
let heard: string;

beforeEach(async () => {
  directory = mkdtempSync(path(tmpdir(), 'understudy-joined-'));
  heard = '';
  const socket = path(directory, 's');
  await new Promise<void>((resolve) => {
    server = createServer((connection) => {
      ours = connection;
      resolve();
    });
    server.listen(socket, () => {
      theirs = connect(socket);
      theirs.on('data', (chunk) => {
        heard += chunk.toString();
      });
    });
  });
});
afterEach(() => {
  theirs.destroy();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** The words after the script stand in its command line, by which it is found. */
function run(script: string, signal?: AbortSignal): Promise<Joined> {
  const bounds = { withinMs: 30_000, env: { PATH: '/usr/bin:/bin' }, ...(signal === undefined ? {} : { signal }) };
  return join('/bin/sh', ['-c', script, directory], ours, bounds);
}

const left = () => ownProcesses((pid) => readCommandLine(pid).includes(directory));

async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`${what}: not within 10 s`);
    await delay(10);
  }
}

it('carries both ways, and the last words', async () => {
  const joined = run('read word; echo "heard $word"; echo beside >&2; exit 3');
  theirs.write('this\n');
  expect(await joined).toEqual({ code: 3, stderr: 'beside\n', wasEnded: false });
  await until('the last words', () => heard === 'heard this\n');
  await until('the connection is closed', () => theirs.closed || theirs.readableEnded);
});

it('carries much without losing any', async () => {
  const joined = run('head -c 20000000 /dev/zero | tr "\\0" x');
  expect((await joined).code).toBe(0);
  await until('all of it', () => heard.length === 20_000_000);
});

it('ends the program with the connection, whatever it does', async () => {
  const joined = run('trap "" TERM; while :; do sleep 1; done');
  await until('it runs', () => left().length > 0);
  theirs.destroy();
  expect(await joined).toEqual({ code: null, stderr: '', wasEnded: true });
  await until('nothing is left', () => left().length === 0);
});

it('ends both by the signal', async () => {
  const abort = new AbortController();
  const joined = run('cat', abort.signal);
  theirs.write('a');
  await until('it answers', () => heard === 'a');
  abort.abort();
  await joined;
  await until('the connection is closed', () => theirs.closed);
});

it('says what is no program, and ends what is joined to a connection that has gone', async () => {
  await expect(join('/nowhere/program', [], ours, { withinMs: 1_000 })).rejects.toThrow('no program');
  await until('it is closed', () => ours.closed);
  expect(await run('sleep 60')).toMatchObject({ code: null, wasEnded: true });
});
