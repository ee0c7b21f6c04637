import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Consoles } from './consoles.ts';

const port = 6432;
const options = { withinMs: 5_000 };

/** Lets in who connects when it is told to, as a pgbouncer that was frozen does. */
class SlowConsole {
  readonly directory = mkdtempSync(join(tmpdir(), 'us-console-'));
  readonly #server: Server;
  readonly sockets: Socket[] = [];
  #isLettingIn = false;
  #waiting: (() => void)[] = [];

  constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.push(socket);
      socket.on('error', () => undefined);
      socket.once('data', () => {
        const answer = () => {
          // AuthenticationOk, ReadyForQuery (documentation "Message Formats")
          if (socket.writable) socket.write(Buffer.from('520000000800000000' + '5a0000000549', 'hex'));
        };
        if (this.#isLettingIn) answer();
        else this.#waiting.push(answer);
      });
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(join(this.directory, `.s.PGSQL.${port}`));
    await once(this.#server, 'listening');
  }

  letIn(): void {
    this.#isLettingIn = true;
    for (const answer of this.#waiting) answer();
    this.#waiting = [];
  }

  async arrival(): Promise<void> {
    await expect.poll(() => this.#waiting.length).toBeGreaterThan(0);
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Nobody is at the other end any more: a side that is only half closed would take it. */
async function isAbandoned(socket: Socket | undefined): Promise<boolean> {
  if (socket === undefined) return false;
  return await new Promise((resolve) => {
    socket.write('N', (error) => resolve(error !== undefined && error !== null));
  });
}

let slow: SlowConsole;
let consoles: Consoles;
let lost = 0;

beforeEach(async () => {
  lost = 0;
  slow = new SlowConsole();
  await slow.listen();
  consoles = new Consoles({ socketDirectory: slow.directory, port }, () => {
    lost += 1;
  });
});

afterEach(() => {
  consoles.close();
  slow.close();
});

describe('the connections to the console', () => {
  it('are opened once, however many ask meanwhile', async () => {
    const asked = [
      consoles.forPausing('shop', options),
      consoles.prepare(['shop'], options),
      consoles.forPausing('shop', options),
      consoles.main(options),
      consoles.main(options),
    ] as const;
    await slow.arrival();
    slow.letIn();
    const [first, , second, main, sameMain] = await Promise.all(asked);
    expect(second).toBe(first);
    expect(sameMain).toBe(main);
    expect(slow.sockets).toHaveLength(2);
    consoles.close();
    for (const socket of slow.sockets) await expect.poll(() => isAbandoned(socket)).toBe(true);
    expect(lost).toBe(0);
  });

  it('are waited for by each as long as he has time', async () => {
    const patient = consoles.main(options);
    await expect(consoles.main({ withinMs: 30 })).rejects.toMatchObject({ code: 'POOLER_TIMEOUT' });
    slow.letIn();
    expect((await patient).isOpen).toBe(true);
    expect(slow.sockets).toHaveLength(1);
  });

  it('are closed also while they are being opened, and opened anew for the next', async () => {
    const dropped = expect(consoles.forPausing('shop', options)).rejects.toMatchObject({ code: 'POOLER_TIMEOUT' });
    await slow.arrival();
    consoles.dropPausing();
    await dropped;
    await expect.poll(() => isAbandoned(slow.sockets[0])).toBe(true);
    slow.letIn();
    expect((await consoles.forPausing('shop', options)).isOpen).toBe(true);
    expect(slow.sockets).toHaveLength(2);
  });

  it('tell of the loss of the main one', async () => {
    slow.letIn();
    await consoles.main(options);
    slow.sockets[0]?.destroy();
    await expect.poll(() => lost).toBe(1);
    expect((await consoles.main(options)).isOpen).toBe(true);
  });
});
