/**
 * The app node's journal as a file in the state directory: what the last agent knew, so that the next one neither
 * follows a lower term nor forgets a pause that it must end.
 *
 * Invariant: replaced as a whole. A file that can't be read counts as none: the topology tells the rest.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { AppNodeMemory } from '../core/rules/pooler-memory.ts';
import type { AppNodeJournal } from './app-node-ports.ts';

const alias = z.object({
  name: z.string(),
  application: z.string(),
  database: z.string(),
  role: z.string(),
  addresses: z.array(z.string()).min(1),
  port: z.number(),
  poolSize: z.number(),
  writes: z.boolean(),
  standsIn: z.boolean().default(false),
});

const configuration = z.object({
  listenAddress: z.string(),
  port: z.number(),
  mode: z.enum(['transaction', 'session']),
  maxClients: z.number(),
  queryWaitTimeoutS: z.number(),
  aliases: z.array(alias),
});

const reader = z.object({ node: z.string(), address: z.string(), port: z.number() });

const schema = z.object({
  bootId: z.string(),
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

export function openAppNodeJournal(file: string): AppNodeJournal {
  const bootId = readBootId();
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  return {
    read(): AppNodeMemory | null {
      let text: string;
      try {
        text = readFileSync(file, 'utf8');
      } catch {
        return null; // the first start
      }
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        return null;
      }
      const parsed = schema.safeParse(value);
      if (!parsed.success) return null;
      const { memory, gate } = parsed.data;
      return { memory, gate: parsed.data.bootId === bootId ? gate : { state: 'open' } };
    },
    write(memory: AppNodeMemory): void {
      writeFileSync(`${file}.new`, JSON.stringify({ bootId, ...memory }), { mode: 0o600 });
      renameSync(`${file}.new`, file);
    },
  };
}
