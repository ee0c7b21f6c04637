import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { checkPorts, parseListeners } from './ports.ts';

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0101007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 7001 1 0000000000000000 100
   1: 00000000:1D08 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7002 1 0000000000000000 100
   2: 0100007F:1538 0100007F:9C40 01 00000000:00000000 00:00000000 00000000   105        0 7003 1 0000000000000000 100
`;

describe('parseListeners', () => {
  it('reads who listens where, and passes over connections', () => {
    expect(parseListeners(table)).toEqual([
      { address: '127.0.1.1', port: 5432, inode: '7001' },
      { address: '*', port: 7432, inode: '7002' },
    ]);
    expect(parseListeners('')).toEqual([]);
  });

  it('tells an IPv6 socket on all addresses from one on a single address', () => {
    const line = (address: string) => `   0: ${address}:1538 ${'0'.repeat(32)}:0000 0A 0:0 00:0 0 0 0 7004 1`;
    expect(parseListeners(line('0'.repeat(32)))[0]?.address).toBe('*');
    expect(parseListeners(line(`${'0'.repeat(24)}01000000`))[0]?.address).not.toBe('*');
  });
});

describe('checkPorts', () => {
  let server: Server | null = null;

  afterEach(() => new Promise((done) => (server === null ? done(null) : server.close(done))));

  async function listen(): Promise<number> {
    const own = createServer();
    server = own;
    await new Promise<void>((done) => own.listen(0, '127.0.0.1', done));
    const bound: AddressInfo | string | null = own.address();
    return typeof bound === 'object' && bound !== null ? bound.port : 0;
  }

  it('finds a port held by the right program, by another one, and free', async () => {
    const port = await listen();
    const expected = { address: '127.0.0.1', port };
    const own = (await import('node:fs')).readFileSync('/proc/self/comm', 'utf8').trim();
    expect(checkPorts([{ ...expected, program: own }])).toMatchObject([{ verdict: 'ok' }]);
    expect(checkPorts([{ ...expected, program: 'postgres' }])).toMatchObject([
      { verdict: 'failure', text: `127.0.0.1:${port} is held by ${own}, not by postgres` },
    ]);
    expect(checkPorts([{ address: '127.0.0.2', port, program: 'postgres' }])).toMatchObject([
      { verdict: 'ok', text: `127.0.0.2:${port} is free` },
    ]);
  });
});
