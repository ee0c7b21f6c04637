/**
 * Declares what a fresh stage is to be, once.
 *
 * Invariant: a spec that the store has is never replaced: an edited cluster file is the operator's, and so is an edited
 * spec.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { renderClusterFile } from '../config/render.ts';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import { askAgents } from './agents.ts';
import { demonstrationSpec } from './demonstration.ts';
import type { Waiting } from './readiness.ts';
import { clusterFile, type StageRecord } from './record.ts';

const storeWithinMs = 30_000;
const answerWithinMs = 10_000;
const pollMs = 100;

/** Is there a spec in the store? Asked until an agent has read the store, or `answerWithinMs` is over. */
export async function isDeclared(record: StageRecord, { clock, signal }: Waiting): Promise<'yes' | 'no' | 'unknown'> {
  const until = clock.boottimeMs() + answerWithinMs;
  for (;;) {
    try {
      const { storeAgeMs, specRevision } = await askAgents(record, (client) => client.status({ withinMs: 1_000 }));
      if (specRevision !== null) return 'yes';
      if (storeAgeMs !== null) return 'no';
    } catch (error) {
      if (!isUnderstudyError(error)) throw error; // not up yet
    }
    if (clock.boottimeMs() > until) return 'unknown';
    await clock.sleep(pollMs, signal);
  }
}

/** Throws what the agents go on refusing it with after 30 s. */
export async function declare(record: StageRecord, major: number, { clock, report, signal }: Waiting): Promise<void> {
  const spec = demonstrationSpec(record, major);
  // One that is there already may have been edited.
  if (!existsSync(clusterFile(record))) writeFileSync(clusterFile(record), renderClusterFile(spec), { mode: 0o644 });
  const until = clock.boottimeMs() + storeWithinMs;
  for (;;) {
    try {
      await askAgents(record, (client) => client.apply({ baseRevision: 0, spec }));
      report(`declared: ${clusterFile(record)}`);
      return;
    } catch (error) {
      if (isUnderstudyError(error, 'CONFLICT')) return; // an earlier attempt was heard after all
      if (clock.boottimeMs() > until) throw error;
      await clock.sleep(pollMs, signal);
    }
  }
}
