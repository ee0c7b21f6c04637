/**
 * The directory that a restore writes, looked at before anything is touched.
 *
 * Invariant: no directory is written to in which a server runs, or that lies in another data directory, or that holds files of
 * somebody else; and what was there is kept beside it, unless it is to be written over. Which directories are ours stands in a small
 * file beside each, written before the first file is restored: so one that was left half restored is known again.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { statfs } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { readControl } from '../postgres/control-file.ts';
import { findServer } from '../postgres/postmaster-file.ts';

const marker = z.object({ set: z.string(), target: z.string(), state: z.enum(['restoring', 'restored']) });
export type DestinationMark = z.infer<typeof marker>;

const markOf = (into: string): string => `${into}.restore.json`;

/** `null`: it was not written by a restore. */
export function readMark(into: string): DestinationMark | null {
  try {
    return marker.parse(JSON.parse(readFileSync(markOf(into), 'utf8')));
  } catch {
    return null;
  }
}

export function writeMark(into: string, mark: DestinationMark): void {
  writeFileSync(markOf(into), JSON.stringify(mark), { mode: 0o600 });
}

export function removeMark(into: string): void {
  rmSync(markOf(into), { force: true });
}

export interface Destination {
  /** Absolute, links resolved as far as it exists. */
  readonly into: string;
  readonly found: 'nothing' | 'half-restored' | 'data-directory';
  readonly freeBytes: number;
  /** What is against it, a line each. */
  readonly obstacles: readonly string[];
}

export interface DestinationFacts {
  readonly into: string;
  readonly delta: boolean;
  /** What has to fit in. */
  readonly neededBytes: number;
  /** Data directories that belong to nodes; none of them is written to, and none that lies in one or around one. */
  readonly live: readonly string[];
}

/** Creates nothing but missing parent directories, as the user that calls. */
export async function examineDestination(facts: DestinationFacts): Promise<Destination> {
  const into = resolved(facts.into);
  const parent = dirname(into);
  const obstacles = [...placeObstacles(into, facts.live)];
  if (obstacles.length > 0) return { into, found: 'nothing', freeBytes: 0, obstacles };
  const unwritable = makeParent(parent);
  if (unwritable !== null) return { into, found: 'nothing', freeBytes: 0, obstacles: [unwritable] };
  const found = contentOf(into);
  if (found === 'foreign') {
    return { into, found: 'nothing', freeBytes: 0, obstacles: [`${into} holds files that are no data directory`] };
  }
  const { bavail, bsize } = await statfs(parent);
  const freeBytes = bavail * bsize;
  // What is written over makes room for itself, nearly.
  const needed = found === 'nothing' || (found === 'data-directory' && !facts.delta) ? facts.neededBytes : 0;
  if (freeBytes < needed) {
    obstacles.push(`${parent} has room for ${freeBytes} bytes, and ${needed} are needed`);
  }
  return { into, found, freeBytes, obstacles };
}

function resolved(path: string): string {
  const whole = resolve(path);
  if (existsSync(whole)) return realpathSync(whole);
  const parent = dirname(whole);
  return parent === whole ? whole : join(resolved(parent), basename(whole));
}

function isWithin(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way === '' || (!way.startsWith('..') && !way.startsWith('/'));
}

function* placeObstacles(into: string, live: readonly string[]): Generator<string> {
  for (const each of live.map(resolved)) {
    if (isWithin(into, each)) yield `${into} is the data directory of a node, or lies in it`;
    else if (isWithin(each, into)) yield `${into} is around ${each}, the data directory of a node`;
  }
  for (let above = dirname(into); above !== dirname(above); above = dirname(above)) {
    if (existsSync(join(above, 'PG_VERSION'))) yield `${into} lies in another data directory, ${above}`;
  }
  if (existsSync(into) && findServer(into, join(into, 'postmaster.pid')).alive !== 'nothing') {
    yield `a server runs in ${into}`;
  }
}

/** Why it can't be written to; `null`: it can. */
function makeParent(parent: string): string | null {
  try {
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    accessSync(parent, constants.W_OK | constants.X_OK);
    return null;
  } catch {
    return `${parent} may not be written to by this user: the restored files are to be PostgreSQL's`;
  }
}

function contentOf(into: string): Destination['found'] | 'foreign' {
  if (!existsSync(into)) return 'nothing';
  if (!statSync(into).isDirectory()) return 'foreign';
  if (readMark(into)?.state === 'restoring') return 'half-restored';
  if (readdirSync(into).length === 0) return 'nothing';
  return readControl(join(into, 'global', 'pg_control')).found === 'control' ? 'data-directory' : 'foreign';
}
