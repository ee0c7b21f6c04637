/**
 * The scratch directory of a node: what lies there of the past, and who works on it.
 *
 * `<id>/` and `base/` hold a data directory each, with everything that belongs to it; `<id>.json` and `base.json` say what it is.
 *
 * Invariant: a directory is never there without its record, which is written first and removed last. So whoever finds a record
 * of somebody who died knows what is to be removed. Only the holder of the lock changes the base, or adds an instance, and only the
 * holder of an instance's own lock changes or ends that; a lock whose holder ended is free. Nobody waits for a lock.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { takeLockFile } from '../process/lock-file.ts';
import { writeWhole } from '../process/whole-file.ts';

const target = z.discriminatedUnion('type', [
  z.object({ type: z.literal('time'), value: z.string(), atMs: z.number() }),
  z.object({ type: z.enum(['lsn', 'xid', 'name']), value: z.string() }),
]);
const identity = z.object({ pid: z.number(), startTicks: z.number() });

const instance = z.object({
  version: z.literal(1),
  id: z.string(),
  node: z.string(),
  /** `opening`: as long as its owner lives; after that it is to be removed. */
  state: z.enum(['opening', 'open']),
  owner: identity,
  target,
  /** The backup that its data began with; `null`: it was copied from a delayed standby. */
  label: z.string().nullable(),
  method: z.enum(['btrfs-snapshot', 'reflink', 'roll-forward', 'delta', 'restore', 'delayed-standby']),
  because: z.string(),
  port: z.number(),
  openedAtMs: z.number(),
  expiresAtMs: z.number(),
  /** How long it took until it answered. */
  tookMs: z.number().nullable(),
  reached: z.object({ lsn: z.string(), lastCommitAt: z.string().nullable() }).nullable(),
});

const base = z.object({
  version: z.literal(1),
  label: z.string(),
  atMs: z.number(),
  isReplayed: z.boolean(),
  isWhole: z.boolean(),
  usedAtMs: z.number(),
});

export type PastTarget = z.infer<typeof target>;
export type InstanceRecord = z.infer<typeof instance>;
export type BaseRecord = z.infer<typeof base>;

export interface Scratch {
  readonly directory: string;
  readonly base: string;
  /** Where everything of an instance lies. */
  place(id: string): string;
  instances(): readonly InstanceRecord[];
  /** As it is on record now; `null`: it is not, or another has its name. */
  again(record: InstanceRecord): InstanceRecord | null;
  readBase(): BaseRecord | null;
  writeInstance(record: InstanceRecord): void;
  writeBase(record: BaseRecord): void;
  forget(name: string): void;
}

/** Where its data and its WAL come from. */
export function sourceOf({ label }: Pick<InstanceRecord, 'label'>): 'repository' | 'standby' {
  return label === null ? 'standby' : 'repository';
}

/** Of everything in it. */
export function dataOf(place: string): string {
  return join(place, 'data');
}

export function openScratch(directory: string): Scratch {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const fileOf = (name: string): string => join(directory, `${name}.json`);
  return {
    directory,
    base: join(directory, 'base'),
    place: (id) => join(directory, id),
    instances: () =>
      readdirSync(directory)
        .flatMap((name) => /^(p\d+)\.json$/.exec(name)?.[1] ?? [])
        .flatMap((id) => read(fileOf(id), instance) ?? [])
        .toSorted((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1))),
    again: ({ id, openedAtMs }) => {
      const found = read(fileOf(id), instance);
      return found?.openedAtMs === openedAtMs ? found : null;
    },
    readBase: () => read(fileOf('base'), base),
    writeInstance: (record) => write(fileOf(record.id), record),
    writeBase: (record) => write(fileOf('base'), record),
    forget: (name) => rmSync(fileOf(name), { force: true }),
  };
}

/** `null`: there is none. Throws CONFIG_INVALID for one of another version: it may be somebody's who knows more. */
function read<T>(file: string, schema: z.ZodType<T>): T | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  const parsed = schema.safeParse(json(text));
  if (parsed.success) return parsed.data;
  throw new UnderstudyError('CONFIG_INVALID', `${file} is damaged, or of another version`, {
    hint: 'remove it, and what lies beside it under the same name',
  });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // judged by its schema
  }
}

function write(file: string, record: unknown): void {
  writeWhole(file, JSON.stringify(record));
}

/** Answers how to let go; `null`: somebody who lives holds it. `of`: an instance; left out: the base, and which instances there are. */
export function takeLock(directory: string, of?: string): (() => void) | null {
  return takeLockFile(join(directory, of === undefined ? 'lock' : `${of}.lock`));
}
