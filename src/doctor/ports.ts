/**
 * Is a port free, or held by the program that should hold it? Read from /proc, so that nothing is connected to.
 * Refuses to judge what it may not see: as an ordinary user other users' processes have no name.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import type { DoctorFinding } from '../api/contract/looks.ts';
import { bad, ok } from './finding.ts';

export interface ExpectedPort {
  readonly address: string;
  readonly port: number;
  /** What should listen there, as the process is named in /proc/PID/comm. */
  readonly program: string;
}

interface Listener {
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

/** proc(5), `/proc/net/tcp`: state 0A is LISTEN; addresses are in host byte order, hexadecimal. */
export function parseListeners(text: string): readonly Listener[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [, local = '', , state] = fields;
    const inode = fields[9];
    const [address = '', port = ''] = local.split(':');
    if (state !== '0A' || inode === undefined) return [];
    return [{ address: readAddress(address), port: Number.parseInt(port, 16), inode }];
  });
}

/** IPv6 addresses are only told apart from "all of them". */
function readAddress(hex: string): string {
  if (hex.length !== 8) return /^0+$/.test(hex) ? '*' : hex;
  const bytes = [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return bytes.every((byte) => byte === 0) ? '*' : bytes.join('.');
}

export function checkPorts(expected: readonly ExpectedPort[]): readonly DoctorFinding[] {
  const listeners = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => parseListeners(readText(file)));
  const holders = expected.map((one) => holdersOf(one, listeners));
  const names = namesOf(new Set(holders.flat().map(({ inode }) => inode)));
  return expected.map((one, index) => judge(one, holders[index] ?? [], names));
}

function holdersOf({ address, port }: ExpectedPort, listeners: readonly Listener[]): readonly Listener[] {
  const onAll = address === '*' || address === '0.0.0.0' || address === '::' || !isIPv4(address);
  return listeners.filter((one) => one.port === port && (onAll || one.address === '*' || one.address === address));
}

function judge(
  { address, port, program }: ExpectedPort,
  holders: readonly Listener[],
  namesByInode: ReadonlyMap<string, string>,
): DoctorFinding {
  const place = `${address}:${port}`;
  if (holders.length === 0) return ok('ports', `${place} is free`);
  const names = [...new Set(holders.map(({ inode }) => namesByInode.get(inode) ?? null))];
  const strangers = names.filter((name) => name !== null && name !== program);
  if (strangers.length > 0) {
    return bad(
      'ports',
      'failure',
      `${place} is held by ${strangers.join(', ')}, not by ${program}`,
      'end that program, or declare another port',
    );
  }
  if (names.includes(null)) return ok('ports', `${place} is held by a process of another user`);
  return ok('ports', `${place} is held by ${program}`);
}

/** Who holds these sockets; those of a process that may not be looked at have no name. One scan of all processes. */
function namesOf(inodes: ReadonlySet<string>): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  if (inodes.size === 0) return names;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    for (const link of descriptorsOf(pid)) {
      const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
      if (inode !== undefined && inodes.has(inode)) names.set(inode, readText(`/proc/${pid}/comm`).trim());
    }
    if (names.size === inodes.size) break;
  }
  return names;
}

function descriptorsOf(pid: string): readonly string[] {
  try {
    const directory = `/proc/${pid}/fd`;
    return readdirSync(directory).map((fd) => readLink(`${directory}/${fd}`));
  } catch {
    return []; // ended, or another user's
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // without IPv6 there is no tcp6
  }
}
