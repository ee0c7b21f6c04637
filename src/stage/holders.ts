/**
 * Namespaces of a stage's hosts: each is held by one process that sleeps in it (`unshare … sleep infinity`).
 *
 * Invariant: nothing but processes keeps a namespace alive. No name under /run/netns, no bind mount: when the last process
 * has ended, however it ended, the kernel takes the namespace away with its interfaces, routes and mounts.
 * Refuses, before anything is made, where the caller may not make namespaces.
 */
import { basename, join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { startDaemon } from '../process/daemon.ts';
import { isAlive, readExecutable } from '../process/identity.ts';
import { type RunResult, run } from '../process/run.ts';
import { makeDirectory } from './node-files.ts';
import { type StageProcess, stageProcesses } from './processes.ts';
import { hub, nodeDirectory, type StageRecord, stageHosts } from './record.ts';

const startWithinMs = 5_000;
const commandWithinMs = 10_000;
const pollMs = 10;

/** The programs of iproute2 and e2fsprogs lie where an ordinary PATH does not look. */
export const toolEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
} as const;

interface Place {
  readonly name: string;
  readonly net: boolean;
  readonly mount: boolean;
}

function placesOf(record: StageRecord): readonly Place[] {
  const own = new Set(record.diskMb === null ? [] : record.nodes.filter(isDatabase).map(({ name }) => name));
  const net = record.namespaces;
  const hosts = stageHosts(record).map(({ name }) => ({ name, net, mount: own.has(name) }));
  return [...(net ? [{ name: hub, net, mount: false }] : []), ...hosts].filter((place) => place.net || place.mount);
}

function isDatabase({ role }: { readonly role: string }): boolean {
  return role === 'database';
}

/** Throws REFUSED when this user may not make namespaces; `flag` is what was asked for. */
export async function requireNamespaces(flag: string): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new UnderstudyError('REFUSED', `${flag} makes namespaces and mounts, which only root may`, {
      hint: 'run it as root, or leave that option out',
    });
  }
  const tried = await run('unshare', ['--net', '--mount', 'true'], {
    withinMs: commandWithinMs,
    env: toolEnvironment,
    anyExit: true,
  });
  if (tried.code !== 0) {
    throw new UnderstudyError(
      'REFUSED',
      `${flag} needs namespaces, and root may not make them here: ${tried.stderr.trim()}`,
      {
        hint: 'in a container: give it CAP_SYS_ADMIN and CAP_NET_ADMIN, or leave that option out',
      },
    );
  }
}

/** Starts what is missing; answers the places whose namespaces are new. */
export async function holdNamespaces(record: StageRecord, clock: Clock): Promise<readonly string[]> {
  const held = new Set(
    stageProcesses(record)
      .filter(isHolder)
      .map(({ node }) => node),
  );
  const missing = placesOf(record).filter(({ name }) => !held.has(name));
  for (const place of missing) await startHolder(record, place, clock);
  return missing.map(({ name }) => name);
}

function isHolder({ kind }: StageProcess): boolean {
  return kind === 'namespace';
}

async function startHolder(record: StageRecord, { name, net, mount }: Place, clock: Clock): Promise<void> {
  const home = nodeDirectory(record, name);
  makeDirectory(record, home, 0o750);
  const kinds = [...(net ? ['--net'] : []), ...(mount ? ['--mount', '--propagation', 'private'] : [])];
  const logFile = join(home, 'holder.log');
  const holder = await startDaemon('unshare', [...kinds, 'sleep', 'infinity'], {
    cwd: home,
    env: toolEnvironment,
    logFile,
  });
  const until = clock.boottimeMs() + startWithinMs;
  while (basename(readExecutable(holder.pid) ?? '') !== 'sleep') {
    if (!isAlive(holder) || clock.boottimeMs() > until)
      throw new UnderstudyError('STAGE_FAILED', `no namespace for ${name}`, { hint: `read ${logFile}` });
    await clock.sleep(pollMs);
  }
}

/** The process that holds a place's namespaces. Throws STAGE_FAILED when there is none. */
export function holderPid(record: StageRecord, place: string): number {
  const holder = stageProcesses(record).find((found) => isHolder(found) && found.node === place);
  if (holder !== undefined) return holder.pid;
  throw new UnderstudyError('STAGE_FAILED', `nobody holds the namespaces of ${place}`, {
    hint: 'understudy stage down, and up again',
  });
}

/** Arguments of nsenter(1) that lead into a place; `null`: it lives in the namespaces of whoever asks. */
export function entrance(record: StageRecord, place: string): readonly string[] | null {
  const found = placesOf(record).find(({ name }) => name === place);
  if (found === undefined) return null;
  const namespaces = `/proc/${holderPid(record, place)}/ns`;
  return [
    ...(found.net ? [`--net=${namespaces}/net`] : []),
    ...(found.mount ? [`--mount=${namespaces}/mnt`] : []),
    `--wd=${nodeDirectory(record, place)}`,
  ];
}

/** Runs a program as root inside a place. Throws PROCESS_FAILED. */
export async function runInside(
  record: StageRecord,
  place: string,
  command: readonly string[],
  options: { readonly input?: string; readonly anyExit?: boolean } = {},
): Promise<RunResult> {
  const args = [...(entrance(record, place) ?? []), '--', ...command];
  return await run('nsenter', args, { withinMs: commandWithinMs, env: toolEnvironment, ...options });
}

/** How a path of a place's own mounts is reached from outside. */
export function seenFromOutside(record: StageRecord, place: string, path: string): string {
  return `/proc/${holderPid(record, place)}/root${path}`;
}
