/**
 * What a server needs to replay the WAL of another: some settings must be at least those that the WAL was written under, else replay
 * pauses, or does not begin (documentation 27.4.3). The control file says what they were as far as it was replayed.
 *
 * They may have been raised since. What waits at its target is given twice as much, which costs some shared memory and nothing else. What
 * is promoted writes its own settings into the WAL, and no standby replays larger ones than it has: it is given what the control file
 * says, and where that came to ask for more, replay is begun again with it.
 */
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Binaries } from '../postgres/binaries.ts';
import { programEnvironment } from '../postgres/program-environment.ts';
import { run } from '../process/run.ts';

const settings = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_xacts',
  'max_locks_per_xact',
];
/** pg_controldata shortens them. */
const names: Readonly<Record<string, string>> = {
  max_prepared_xacts: 'max_prepared_transactions',
  max_locks_per_xact: 'max_locks_per_transaction',
};

export type Minimums = Readonly<Record<string, number>>;

export function parseMinimums(output: string): Minimums {
  const found: Record<string, number> = {};
  for (const name of settings) {
    const value = new RegExp(`^${name} setting:\\s+(\\d+)$`, 'm').exec(output)?.[1];
    if (value !== undefined) found[names[name] ?? name] = Number(value);
  }
  return found;
}

export function doubled(minimums: Minimums): Minimums {
  return Object.fromEntries(Object.entries(minimums).map(([name, value]) => [name, 2 * value]));
}

/** Some setting is to be larger than it was given. */
export function asksForMore(wanted: Minimums, given: Minimums): boolean {
  return Object.entries(wanted).some(([name, value]) => value > (given[name] ?? 0));
}

/** Throws POSTGRES_FAILED, PROCESS_FAILED, TIMEOUT. */
export async function standbyMinimums(data: string, binaries: Binaries): Promise<Minimums> {
  const program = join(binaries.directory, 'pg_controldata');
  const { stdout } = await run(program, ['-D', data], { withinMs: 10_000, env: programEnvironment() });
  const found = parseMinimums(stdout);
  if (Object.keys(found).length === settings.length) return found;
  throw new UnderstudyError('POSTGRES_FAILED', `the control file of ${data} does not say what its WAL needs`);
}
