/**
 * Faults that are in force on a stage: one file each under `faults/`, written before the fault strikes and removed after it
 * was undone, so that whoever comes later (the keeper, `heal`, `stage down`) knows all there may be to undo.
 *
 * Invariant: an id is never in force twice; it also names the fault's rules at the hub.
 */
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { processTargets } from './fault-words.ts';
import type { StageRecord } from './record.ts';

const base = {
  id: z.int().min(1),
  node: z.string(),
  /** For people. */
  began: z.string(),
  /** On the boottime clock, in ms; `null`: until it is healed. */
  untilMs: z.number().nullable(),
};

const schema = z.discriminatedUnion('fault', [
  z.object({ ...base, fault: z.literal('kill'), what: z.enum(processTargets) }),
  z.object({ ...base, fault: z.literal('freeze'), what: z.enum(processTargets) }),
  z.object({
    ...base,
    fault: z.literal('partition'),
    /** `all`, or the hosts it is cut off from. */
    from: z.union([z.literal('all'), z.array(z.string())]),
    /** The direction that is closed, as the node sees it; `null`: both. */
    oneWay: z.enum(['in', 'out']).nullable(),
  }),
  z.object({ ...base, fault: z.literal('fill') }),
  z.object({ ...base, fault: z.literal('freeze-disk') }),
]);

export type Fault = z.infer<typeof schema>;
type Unnumbered<T> = T extends Fault ? Omit<T, 'id' | 'began'> : never;
export type NewFault = Unnumbered<Fault>;

function ledger(record: StageRecord): string {
  return join(record.root, 'faults');
}

function fileOf(record: StageRecord, id: number): string {
  return join(ledger(record), `${id}.json`);
}

/** Those in force, oldest first. */
export function readFaults(record: StageRecord): readonly Fault[] {
  const found: Fault[] = [];
  for (const name of namesIn(ledger(record))) {
    try {
      found.push(schema.parse(JSON.parse(readFileSync(join(ledger(record), name), 'utf8'))));
    } catch (error) {
      if (!isMissing(error)) throw error; // undone a moment ago
    }
  }
  return found.sort((a, b) => a.id - b.id);
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => /^\d+\.json$/.test(name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Writes it down under the next free id; a file is there whole or not at all. */
export function enterFault(record: StageRecord, wanted: NewFault, at: Date): Fault {
  mkdirSync(ledger(record), { recursive: true, mode: 0o755 });
  let id = Math.max(0, ...namesIn(ledger(record)).map((name) => Number.parseInt(name, 10)));
  for (;;) {
    id += 1;
    const fault = schema.parse({ ...wanted, id, began: at.toISOString() });
    const draft = join(ledger(record), `${id}.${process.pid}.draft`);
    writeFileSync(draft, `${JSON.stringify(fault)}\n`);
    try {
      linkSync(draft, fileOf(record, id));
      return fault;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  }
}

export function strikeOut(record: StageRecord, { id }: Fault): void {
  rmSync(fileOf(record, id), { force: true });
}

export function burnLedger(record: StageRecord): void {
  rmSync(ledger(record), { recursive: true, force: true });
}
