/**
 * The app node's journal as a file in the state directory: what the last agent knew, so that the next one neither
 * follows a lower term nor forgets a pause that it must end.
 *
 * Invariant: replaced as a whole. A file that can't be read counts as none: the topology tells the rest. Where the state
 * directory takes nothing, as on a full disk, it goes to a second file on another file system; the later one counts.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { AppNodeMemory } from '../core/rules/pooler-memory.ts';
import { tlsPolicies } from '../core/tls-policy.ts';
import type { AppNodeJournal } from './app-node-ports.ts';

const alias = z.object({
  name: z.string(),
  application: z.string(),
  database: z.string(),
  role: z.string(),
  generation: z.number(),
  clientPassword: z.number().default(1),
  addresses: z.array(z.string()).min(1),
  port: z.number(),
  poolSize: z.number(),
  writes: z.boolean(),
  standsIn: z.boolean().default(false),
  // An earlier version has none.
  ofOneNode: z.boolean().default(false),
});

const configuration = z.object({
  listenAddress: z.string(),
  port: z.number(),
  mode: z.enum(['transaction', 'session']),
  maxClients: z.number(),
  queryWaitTimeoutS: z.number(),
  // Of an earlier version.
  tls: z
    .object({ clients: z.enum(tlsPolicies), servers: z.enum(tlsPolicies) })
    .default({ clients: 'compatible', servers: 'compatible' }),
  aliases: z.array(alias),
});

const reader = z.object({ node: z.string(), address: z.string(), port: z.number() });

const schema = z.object({
  bootId: z.string(),
  /** Counts the writes. */
  number: z.number().default(0),
  memory: z.object({
    term: z.number(),
    primary: reader.nullable(),
    served: z.array(z.string()),
    shownBy: z.array(z.string()),
    readers: z.object({
      chosen: z.array(reader),
      candidates: z.array(z.object({ node: z.string(), sinceMs: z.number() })),
      straying: z.array(z.object({ node: z.string(), sinceMs: z.number() })).default([]),
    }),
    configuration: configuration.nullable(),
    heldOutTerm: z.number().nullable().default(null),
    readOnly: z.boolean().default(false),
  }),
  gate: z.discriminatedUnion('state', [
    z.object({ state: z.literal('open') }),
    z.object({
      state: z.enum(['draining', 'drained']),
      operation: z.string(),
      term: z.number(),
      sinceMs: z.number(),
      limitMs: z.number(),
    }),
    z.object({ state: z.literal('held'), term: z.number(), sinceMs: z.number(), limitMs: z.number() }),
  ]),
});

/** Times in the journal count from this boot; after another one no pooler is left to be paused. */
function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function readKept(file: string): z.infer<typeof schema> | null {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return null; // the first start, or it was never finished
  }
}

function replace(file: string, text: string): void {
  try {
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch (error) {
    removeQuietly(`${file}.new`);
    throw error;
  }
}

function removeQuietly(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // a file system that takes no changes at all
  }
}

/** `spare`: where it goes when `file` can't be written; may be lost with the boot. */
export function openAppNodeJournal(file: string, spare: string): AppNodeJournal {
  const bootId = readBootId();
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const [kept = null] = [readKept(file), readKept(spare)]
    .filter((one) => one !== null)
    .sort((one, other) => other.number - one.number);
  let number = kept?.number ?? 0;
  return {
    read(): AppNodeMemory | null {
      if (kept === null) return null;
      return { memory: kept.memory, gate: kept.bootId === bootId ? kept.gate : { state: 'open' } };
    },
    write(memory: AppNodeMemory): void {
      number += 1;
      const text = JSON.stringify({ bootId, number, ...memory });
      try {
        replace(file, text);
      } catch (error) {
        try {
          replace(spare, text);
        } catch {
          throw error; // names the place that matters
        }
        return;
      }
      removeQuietly(spare);
    },
  };
}
