/**
 * What a restore leaves that was killed: programs that have not noticed it yet, a server that recovers, a directory half done.
 *
 * Invariant: of the restore before nobody writes any more when the next one begins. Only the server of its own record is ended; programs end
 * with the process that started them, and are waited for.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { findServer } from '../postgres/postmaster-file.ts';
import { deadlineOf, waitFor } from '../postgres/waiting.ts';
import { ownProcesses, readCommandLine } from '../process/identity.ts';
import { endInstance } from './instance-record.ts';

const pollMs = 50;
const patienceMs = 120_000;

/** Throws POSTGRES_TIMEOUT. */
export async function endLeftovers(into: string, instance: string, clock: Clock, options: ActOptions): Promise<void> {
  const bounded = { ...options, withinMs: Math.min(patienceMs, options.withinMs) };
  await endInstance(instance, clock, bounded);
  await waitFor(clock, deadlineOf(clock, bounded), 'the end of the restore before', pollMs, () =>
    ownProcesses((pid) => readCommandLine(pid).includes(`--pg1-path=${into}`)).length === 0 ? true : undefined,
  );
  const file = join(into, 'postmaster.pid');
  // It stays of a server that was killed, and pgBackRest takes it for a living one.
  if (findServer(into, file).alive === 'nothing') rmSync(file, { force: true });
}

/** Everything was copied, and nothing was promoted: the server goes on where it was. */
export function isInRecovery(into: string): boolean {
  return existsSync(join(into, 'recovery.signal'));
}

/** pgBackRest knows a directory for one of its own by these, and adds to it. */
export function isBegun(data: string): boolean {
  return ['PG_VERSION', 'backup.manifest'].some((name) => existsSync(join(data, name)));
}

/** It adds to an empty one, too, and to no other: what lies there by chance is removed. Answers whether it is added to. */
export function clearUnlessBegun(into: string): boolean {
  if (isBegun(into)) return true;
  if (existsSync(into)) for (const name of readdirSync(into)) rmSync(join(into, name), { recursive: true });
  return false;
}
