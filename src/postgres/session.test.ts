import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSession, type Session } from './session.ts';

const port = 5432;
const longMs = 600_000;

/** Takes connections and lets nobody in, as a server does that is on its way up or down. */
let server: Server;
let directory: string;
let sockets: Socket[];
let session: Session;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'us-session-'));
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined).resume();
  });
  server.listen(join(directory, `.s.PGSQL.${port}`));
  await once(server, 'listening');
  session = createSession({ socketDirectory: directory, port });
});

afterEach(() => {
  session.drop();
  for (const socket of sockets) socket.destroy();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('a login that hangs', () => {
  it('holds up nobody for longer than his own time', async () => {
    const patient = expect(session.execute('select 1', longMs)).rejects.toMatchObject({ code: 'POSTGRES_FAILED' });
    await expect(session.execute('select 2', 30)).rejects.toMatchObject({ code: 'POSTGRES_TIMEOUT' });
    // It knocked once for both.
    await expect.poll(() => sockets.length).toBe(1);
    session.drop();
    await patient;
    await expect.poll(() => sockets[0]?.closed).toBe(true);
  });

  it('is given up when nobody waits for it any more, and begun anew for the next', async () => {
    await expect(session.execute('select 1', 30)).rejects.toMatchObject({ code: 'POSTGRES_TIMEOUT' });
    await expect.poll(() => sockets[0]?.closed).toBe(true);
    const cancel = new AbortController();
    const cancelled = expect(session.execute('select 2', longMs, cancel.signal)).rejects.toThrow('cancelled');
    await expect.poll(() => sockets.length).toBe(2);
    cancel.abort();
    await cancelled;
    await expect.poll(() => sockets[1]?.closed).toBe(true);
  });

  it('ends for all who wait when the server breaks it off', async () => {
    const both = [session.execute('select 1', longMs), session.execute('select 2', longMs)].map((each) =>
      expect(each).rejects.toMatchObject({ code: 'POSTGRES_FAILED' }),
    );
    await expect.poll(() => sockets.length).toBe(1);
    sockets[0]?.destroy();
    await Promise.all(both);
  });
});
