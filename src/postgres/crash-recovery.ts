/**
 * Brings a directory that was not shut down cleanly to a clean end, by PostgreSQL's single-user mode (documentation
 * "postgres", "Options for Single-User Mode"), and asks it questions there.
 *
 * Nobody can connect, so nothing is acknowledged: this is no start that the fence would have to permit. WAL is kept from
 * being recycled, since a rewind reads it back to the last checkpoint before the fork: with the usual settings the
 * checkpoint at the end of recovery removed it, and the rewind was impossible (seen).
 */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../process/run.ts';
import type { Binaries } from './binaries.ts';
import type { Layout } from './layout.ts';
import { programEnvironment } from './program-environment.ts';
import type { Deadline } from './waiting.ts';

const settings = {
  wal_keep_size: '1TB',
  max_slot_wal_keep_size: '-1',
  archive_mode: 'off',
  log_min_messages: 'fatal',
  default_transaction_read_only: 'on',
  search_path: 'pg_catalog',
};

/** Runs statements, each ended by a semicolon and an empty line, and answers what it printed. Throws PROCESS_FAILED. */
export async function runSingleUser(
  layout: Layout,
  binaries: Binaries,
  database: string,
  statements: string,
  deadline: Deadline,
): Promise<string> {
  // A server that would be a standby does not start in this mode. Whoever starts it next says again what it is to be.
  const wasStandby = existsSync(layout.standbySignal);
  await rm(layout.standbySignal, { force: true });
  try {
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const args = ['--single', '-D', layout.data, '-j', ...options, database];
    const { stdout } = await run(join(binaries.directory, 'postgres'), args, {
      cwd: layout.data,
      env: programEnvironment(),
      input: statements,
      withinMs: deadline.leftMs(),
      maxOutputBytes: 16 * 1024 * 1024,
      ...(deadline.signal === undefined ? {} : { signal: deadline.signal }),
    });
    return stdout;
  } finally {
    if (wasStandby) await writeFile(layout.standbySignal, '', { mode: 0o600 });
  }
}

export async function recoverFromCrash(layout: Layout, binaries: Binaries, deadline: Deadline): Promise<void> {
  await runSingleUser(layout, binaries, 'postgres', '', deadline);
}
