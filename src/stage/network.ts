/**
 * A stage's own loopback addresses: 127.A.B.1 and up, with the standard ports on each.
 *
 * The network is derived from the directory, so that a stage keeps its addresses, and moved on when a port is taken.
 */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';

export const stagePorts = { postgres: 5432, pooler: 6432, api: 7432, storeClient: 2379, storePeer: 2380 } as const;
const attempts = 50;
const connectWithinMs = 300;

export async function chooseNetwork(directory: string, nodes: number): Promise<string> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const hash = createHash('sha256')
      .update(`${resolve(directory)} ${attempt}`)
      .digest();
    const network = `127.${64 + ((hash[0] ?? 0) % 160)}.${hash[1] ?? 0}`;
    const addresses = Array.from({ length: nodes }, (_, index) => `${network}.${index + 1}`);
    if (!(await anyTaken(addresses))) return network;
  }
  throw new UnderstudyError('PORT_IN_USE', `no free loopback network in ${attempts} attempts`);
}

async function anyTaken(addresses: readonly string[]): Promise<boolean> {
  const ports = Object.values(stagePorts);
  const taken = await Promise.all(addresses.flatMap((address) => ports.map((port) => isTaken(address, port))));
  return taken.includes(true);
}

export function isTaken(address: string, port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect({ host: address, port, timeout: connectWithinMs });
    const end = (taken: boolean) => {
      socket.destroy();
      settle(taken);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}
