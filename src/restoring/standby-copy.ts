/**
 * Copies a delayed standby through its own server, and keeps what it has received while the copy is made and replayed on.
 *
 * Invariant: of the standby nothing changes but for a slot that ends with the session that has it, and it goes on to replay as it is
 * declared. It is read from, never written to: WAL is copied out of it, file by file. A copy that was broken off is no server's
 * directory yet, and its program ended with whoever started it.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { superuser } from '../core/rules/local-access.ts';
import { shellWord } from '../core/rules/server-command.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type { TransferProgress } from '../ports/repository.ts';
import { conninfo } from '../postgres/conninfo.ts';
import { programEnvironment } from '../postgres/program-environment.ts';
import { parseProgress } from '../postgres/program-progress.ts';
import { createSession } from '../postgres/session.ts';
import { run } from '../process/run.ts';
import type { DelayedStandby } from './delayed-standby.ts';

const askWithinMs = 30_000;
const kept = z.object({ keptFrom: z.string() });

/** From where on its WAL stays, for as long as the work lasts. Throws POSTGRES_FAILED, POSTGRES_TIMEOUT, and what the work throws. */
export async function withKeptWal<T>(
  standby: DelayedStandby,
  id: string,
  work: (keptFrom: string) => Promise<T>,
): Promise<T> {
  const session = createSession(standby);
  // Temporary: it is gone with the session, however that ends.
  const name = `past_${id}_${process.pid}`;
  try {
    const making = { text: 'select from pg_create_physical_replication_slot($1, true, true)', values: [name] };
    await session.query({ ...making, row: z.object({}) }, askWithinMs);
    const asking = `select restart_lsn::text as "keptFrom" from pg_replication_slots where slot_name = $1`;
    const [slot] = await session.query({ text: asking, values: [name], row: kept }, askWithinMs);
    if (slot === undefined) throw new UnderstudyError('POSTGRES_FAILED', `${standby.node} let go of its WAL`);
    return await work(slot.keptFrom);
  } finally {
    session.drop();
  }
}

/** Into a directory that is not there yet, with everything that it needs to be recovered. Throws PROCESS_FAILED, TIMEOUT. */
export async function copyStandby(
  { binaries, node, port, socketDirectory }: DelayedStandby,
  into: string,
  onProgress: (progress: TransferProgress) => void,
  options: ActOptions,
): Promise<void> {
  await mkdir(into, { mode: 0o700 });
  const from = conninfo({ host: socketDirectory, port, user: superuser, application_name: `past of ${node}` });
  const args = ['-D', into, '-d', from, '-X', 'none', '-c', 'fast', '--no-manifest', '--progress', '--no-password'];
  const program = join(binaries.directory, 'pg_basebackup');
  await run('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
    ...options,
    ...{ cwd: into, env: programEnvironment() },
    onStderr: (text) => {
      const progress = parseProgress(text);
      if (progress !== null) onProgress(progress);
    },
  });
  await rm(join(into, 'standby.signal'), { force: true });
  await writeFile(join(into, 'recovery.signal'), '', { mode: 0o600 });
}

/** Over what the copy brought along. */
export function standbyRecovery({ data }: DelayedStandby): Readonly<Record<string, string>> {
  const command = `cp --reflink=auto -- ${shellWord(join(data, 'pg_wal'))}/%f "%p"`;
  return { restore_command: command, recovery_min_apply_delay: '0' };
}

/** Replayed on meanwhile, or ended in what is not there yet: as what it means. */
export function standbyRefusal(error: unknown, { node }: DelayedStandby): unknown {
  if (!isUnderstudyError(error, 'RESTORE_FAILED')) return error;
  if (!/before consistent recovery point|were replayed, past/.test(error.message)) return error;
  return new UnderstudyError('REFUSED', `${node} replayed past that moment before it was copied`, {
    cause: error,
    hint: 'name a later one, or take it from the repository: --source repository',
  });
}
