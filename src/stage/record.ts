/**
 * What a stage writes down about itself, so that every later command finds it: `.understudy/stage.json` in the user's
 * directory. Everything else of the stage lies under `root`.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';

const stageNode = z.object({ name: z.string(), role: z.enum(['database', 'app', 'witness']), address: z.string() });
const stageHost = z.object({ name: z.string(), address: z.string() });

const schema = z.object({
  version: z.literal(1),
  cluster: z.string(),
  domain: z.string(),
  /** Where its files lie. */
  root: z.string(),
  /** Where the sockets lie; short, since a socket's path may have 107 bytes at most. */
  run: z.string(),
  /** `127.A.B`, or `198.18.B` between namespaces: all addresses begin with it. */
  network: z.string(),
  /** Every place has a network namespace of its own (holders.ts). */
  namespaces: z.boolean().default(false),
  /** The size of each database node's own file system (disks.ts); `null`: all share the machine's. */
  diskMb: z.number().nullable().default(null),
  user: z.object({ name: z.string(), uid: z.number(), gid: z.number() }),
  storeMembers: z.array(z.string()),
  /** Store members that live beside no node. */
  storeHosts: z.array(stageHost).default([]),
  nodes: z.array(stageNode),
});

export type StageRecord = z.infer<typeof schema>;
export type StageNode = z.infer<typeof stageNode>;
export type StageHost = z.infer<typeof stageHost>;

export function stageDirectory(directory: string): string {
  return join(directory, '.understudy');
}

export function recordFile(directory: string): string {
  return join(stageDirectory(directory), 'stage.json');
}

/** `null`: there is no stage in this directory. Throws CONFIG_INVALID for a damaged record, CONFIG_UNREADABLE. */
export function findStage(directory: string): StageRecord | null {
  const file = recordFile(directory);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : null;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    if (code === 'EISDIR') throw damaged(file, 'is a directory');
    throw new UnderstudyError('CONFIG_UNREADABLE', `${file} can't be read`, { cause });
  }
  return parseRecord(text, file);
}

function parseRecord(text: string, file: string): StageRecord {
  if (text.trim() === '') throw damaged(file, 'is empty');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged(file, 'is no JSON');
  }
  const versioned = z.object({ version: z.number() }).safeParse(value);
  if (!versioned.success) throw damaged(file, 'holds no record of a stage');
  const { version } = versioned.data;
  if (version !== 1) throw damaged(file, `is of version ${version}, and this program knows version 1 alone`);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const places = result.error.issues.map(({ path }) => path.join('.'));
  throw damaged(file, `is damaged at ${[...new Set(places)].join(', ')}`);
}

/** What it says is lost: nobody but the program writes it. */
function damaged(file: string, how: string): UnderstudyError {
  return new UnderstudyError('CONFIG_INVALID', `the record of the stage, ${file}, ${how}`, {
    hint: 'understudy stage down --purge ends what runs of that stage, and removes its files',
  });
}

/** Whole or not at all: the keeper may be reading it. */
export function saveRecord(record: StageRecord, directory: string): void {
  const next = `${recordFile(directory)}.new`;
  writeFileSync(next, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(next, recordFile(directory));
}

/** Throws STAGE_MISSING, and as `findStage` does. */
export function requireStage(directory: string): StageRecord {
  const record = findStage(directory);
  if (record === null) throw new UnderstudyError('STAGE_MISSING', `there is no stage in ${directory}`);
  return record;
}

/** The place that routes between the hosts of a stage with namespaces; no node can have that name. */
export const hub = '.hub';

/** Every host that the stage plays: its nodes, and store members that live beside none. */
export function stageHosts(record: StageRecord): readonly StageHost[] {
  return [...record.nodes, ...record.storeHosts];
}

export function storeHosts(record: StageRecord): readonly StageHost[] {
  return stageHosts(record).filter((host) => record.storeMembers.includes(host.name));
}

export function nodeDirectory(record: StageRecord, node: string): string {
  return join(record.root, node);
}

/** Where an app node's agent writes the files of its applications. */
export function applicationFiles(record: StageRecord, node: string): string {
  return join(nodeDirectory(record, node), 'apps');
}

/** Where PostgreSQL's data directory lies: on a file system of its own when the stage has such disks. */
export function dataDirectory(record: StageRecord, node: string): string {
  return join(record.diskMb === null ? nodeDirectory(record, node) : diskDirectory(record, node), 'data');
}

export function diskDirectory(record: StageRecord, node: string): string {
  return join(nodeDirectory(record, node), 'disk');
}

export function runDirectory(record: StageRecord, node: string): string {
  return join(record.run, node);
}

/** Whom a stage makes credentials for. */
export const stagePeople = ['operator', 'viewer'] as const;
export type StagePerson = (typeof stagePeople)[number];

export function personDirectory(record: StageRecord, person: StagePerson): string {
  return join(record.root, person);
}

export function contextFile(record: StageRecord, person: StagePerson = 'operator'): string {
  return join(personDirectory(record, person), 'context.json');
}

export function clusterFile(record: StageRecord): string {
  return join(record.root, 'cluster.yaml');
}

/** Where hosts have networks of their own: of whoever made the stage, its command line, and applications that run outside of it. */
export function outside(record: StageRecord): string {
  return `${record.network}.253`;
}
