/**
 * Reads postmaster.pid and the kernel's table of shared memory: is a server of this data directory alive?
 *
 * The lines of the file are those of PostgreSQL's source (utils/pidfile.h): process id, data directory, start time,
 * port, socket directory, listen address, shared memory key and id, status. The file alone proves nothing: it stays
 * after a crash, and its process id may belong to somebody else by then.
 */
import { readFileSync } from 'node:fs';
import {
  identify,
  type ProcessIdentity,
  processesIn,
  readCommandLine,
  readProcess,
  worksIn,
} from '../process/identity.ts';
import { readQuietly } from '../process/quiet-file.ts';

export type PostmasterStatus = 'starting' | 'stopping' | 'ready' | 'standby' | 'none';

export interface SharedMemory {
  readonly key: number;
  readonly id: number;
}

export interface PostmasterFile {
  readonly pid: number;
  readonly port: number | null;
  /** `null`: none yet. */
  readonly socketDirectory: string | null;
  readonly sharedMemory: SharedMemory | null;
  readonly status: PostmasterStatus;
}

export function parsePostmasterFile(text: string): PostmasterFile | null {
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 1) return null;
  const port = Number(lines[3]);
  const [key, id] = (lines[6] ?? '').trim().split(/\s+/).map(Number);
  const status = (lines[7] ?? '').trim();
  return {
    pid,
    port: Number.isSafeInteger(port) && port > 0 ? port : null,
    socketDirectory: lines[4]?.trim() ? lines[4].trim() : null,
    sharedMemory: key !== undefined && id !== undefined && Number.isFinite(key + id) ? { key, id } : null,
    status:
      status === 'starting' || status === 'stopping' || status === 'ready' || status === 'standby' ? status : 'none',
  };
}

/** `null` when there is no such file, or it is being written right now. */
export function readPostmasterFile(path: string): PostmasterFile | null {
  try {
    return parsePostmasterFile(readQuietly(path).toString('utf8'));
  } catch {
    return null;
  }
}

/** How many processes are attached to that segment (proc(5), /proc/sysvipc/shm); 0 when it does not exist. */
export function attachments(memory: SharedMemory): number {
  let text: string;
  try {
    text = readFileSync('/proc/sysvipc/shm', 'utf8');
  } catch {
    return 0; // a kernel without System V memory could not have started this server
  }
  for (const line of text.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (Number(fields[0]) === memory.key && Number(fields[1]) === memory.id) return Number(fields[6]);
  }
  return 0;
}

export type Server =
  | {
      readonly alive: 'postmaster';
      readonly postmaster: ProcessIdentity;
      readonly file: PostmasterFile;
      /** Stopped by a signal or a debugger: it answers nobody. */
      readonly frozen: boolean;
    }
  /** The postmaster is gone, but processes of its data directory still live, or its memory is still attached. */
  | { readonly alive: 'remnants'; readonly processes: readonly ProcessIdentity[]; readonly file: PostmasterFile | null }
  | { readonly alive: 'nothing'; readonly file: PostmasterFile | null };

/** A process of this data directory that is not one of the postmaster's children, whose only argument is a title. */
function isPostmaster(pid: number, data: string): boolean {
  return worksIn(pid, data) && readCommandLine(pid)[0]?.startsWith('postgres:') === false;
}

/**
 * Looks for a living server. The search through all processes (1 ms per hundred) is made only when the file does
 * not lead to a living postmaster.
 */
export function findServer(data: string, postmasterFile: string): Server {
  const file = readPostmasterFile(postmasterFile);
  if (file !== null) {
    const postmaster = identify(file.pid);
    if (postmaster !== null && isPostmaster(file.pid, data)) {
      const state = readProcess(file.pid)?.state;
      return { alive: 'postmaster', postmaster, file, frozen: state === 'T' || state === 't' };
    }
  }
  const processes = processesIn(data);
  const memory = file?.sharedMemory ?? null;
  if (processes.length > 0 || (memory !== null && attachments(memory) > 0)) {
    return { alive: 'remnants', processes, file };
  }
  return { alive: 'nothing', file };
}
