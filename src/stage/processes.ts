/**
 * The processes of a stage: found by where they work, never by name alone, and ended by process id.
 *
 * Invariant: nothing is signalled that does not work under the stage's own directories.
 */
import { readdirSync } from 'node:fs';
import { basename, sep } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import {
  identify,
  isAlive,
  type ProcessIdentity,
  readCommandLine,
  readExecutable,
  readProcess,
  readWorkingDirectory,
} from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import { hub, type StageRecord, stageHosts } from './record.ts';

/** `namespace`: the process that holds a host's namespaces, and no part of what runs on that host. */
export type StageProcessKind =
  | 'agent'
  | 'fence'
  | 'postmaster'
  | 'backend'
  | 'pooler'
  | 'store'
  | 'namespace'
  | 'other';

export interface StageProcess extends ProcessIdentity {
  readonly kind: StageProcessKind;
  readonly node: string;
}

const pollMs = 25;

export function stageProcesses(record: StageRecord): readonly StageProcess[] {
  const names = new Set([hub, ...stageHosts(record).map(({ name }) => name)]);
  return processesUnder(record.root, (name) => names.has(name));
}

/**
 * What a stage under this root left running when its record was removed. Only programs that a stage starts: an editor or a
 * shell may be at work there, too.
 */
function strayProcesses(root: string): readonly StageProcess[] {
  return processesUnder(root, () => true).filter(({ kind }) => kind !== 'other');
}

function processesUnder(root: string, isHost: (name: string) => boolean): readonly StageProcess[] {
  const found: StageProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const node = nodeOf(root, isHost, pid);
    const identity = node === null ? null : identify(pid);
    if (node !== null && identity !== null) found.push({ ...identity, node, kind: kindOf(pid) });
  }
  return found;
}

function nodeOf(root: string, isHost: (name: string) => boolean, pid: number): string | null {
  // Also in an option: pgBackRest, which sends WAL on when its server has ended, names its file so and works in /.
  const named = readCommandLine(pid).flatMap((word) => [word, word.slice(word.indexOf('=') + 1)]);
  const places = [readWorkingDirectory(pid) ?? '', ...named];
  for (const place of places) {
    const inside = place.startsWith(root + sep) ? place.slice(root.length + 1) : null;
    const node = inside?.split(sep)[0];
    if (node !== undefined && isHost(node)) return node;
  }
  return null;
}

function kindOf(pid: number): StageProcessKind {
  const program = basename((readExecutable(pid) ?? '').replace(/ \(deleted\)$/, ''));
  if (program === 'postgres') {
    const parent = readProcess(pid)?.parent ?? 0;
    return basename(readExecutable(parent) ?? '') === 'postgres' ? 'backend' : 'postmaster';
  }
  if (program === 'pgbouncer') return 'pooler';
  if (program === 'etcd') return 'store';
  const line = readCommandLine(pid);
  if (line.includes('sleep') && line.includes('infinity')) return 'namespace';
  if (line.some((argument) => basename(argument) === 'fence.mjs')) return 'fence';
  return line.includes('agent') ? 'agent' : 'other';
}

const stops: readonly {
  readonly kinds: readonly StageProcessKind[];
  readonly signal: NodeJS.Signals;
  readonly withinMs: number;
}[] = [
  { kinds: ['agent', 'fence', 'other'], signal: 'SIGTERM', withinMs: 5_000 },
  { kinds: ['pooler'], signal: 'SIGTERM', withinMs: 2_000 },
  { kinds: ['postmaster'], signal: 'SIGINT', withinMs: 15_000 },
  { kinds: ['store'], signal: 'SIGTERM', withinMs: 5_000 },
  {
    kinds: ['agent', 'fence', 'other', 'pooler', 'postmaster', 'backend', 'store'],
    signal: 'SIGKILL',
    withinMs: 5_000,
  },
  // Last: while anything else lives, a frozen disk may have to be thawed through it.
  { kinds: ['namespace'], signal: 'SIGKILL', withinMs: 2_000 },
];

/** Ends everything: agents first, so that none starts again what is stopped after it. Answers how many there were. */
export async function endProcesses(
  record: StageRecord,
  clock: Clock,
  only?: (found: StageProcess) => boolean,
): Promise<number> {
  return await endAll(() => stageProcesses(record).filter((found) => only?.(found) ?? true), clock);
}

/** As `endProcesses`, when there is no record any more. */
export async function endStrays(root: string, clock: Clock): Promise<number> {
  return await endAll(() => strayProcesses(root), clock);
}

async function endAll(find: () => readonly StageProcess[], clock: Clock): Promise<number> {
  let ended = 0;
  for (const { kinds, signal, withinMs } of stops) {
    const concerned = find().filter((found) => kinds.includes(found.kind));
    ended += concerned.length;
    for (const one of concerned) {
      sendSignal(one, signal);
      sendSignal(one, 'SIGCONT'); // a frozen process takes no other signal before it goes on
    }
    const until = clock.boottimeMs() + withinMs;
    while (concerned.some(isAlive) && clock.boottimeMs() < until) await clock.sleep(pollMs);
  }
  return ended;
}
