/**
 * Makes a new cluster: checksums, UTF-8, SCRAM, the replication role.
 *
 * Built beside the data directory and renamed into place, so that a data directory is never half made. Refuses a data
 * directory with anything in it.
 */
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { run } from '../process/run.ts';
import type { Binaries } from './binaries.ts';
import { abandonConstruction, beginConstruction } from './construction.ts';
import { readControl } from './control-file.ts';
import { isDiskFull } from './disk-full.ts';
import { hasContent, swap } from './journal.ts';
import { type Layout, replicationRole, superuser } from './layout.ts';
import { programEnvironment } from './program-environment.ts';
import { rewindRoleStatements } from './rewind-role.ts';
import type { Deadline } from './waiting.ts';

/**
 * A promotion copies the last segment to the new timeline in full and syncs it, while writers wait: at 16 MiB, the
 * built-in size, it took 72 ms at the median, at 4 MiB 15 ms, at 1 MiB 11 ms. Smaller segments cost a sync and, with an
 * archive, an upload each.
 */
const walSegmentMb = 4;

/** C.UTF-8 sorts by code point on every machine and knows letters beyond ASCII; indexes survive a change of glibc. */
async function chooseLocale(withinMs: number): Promise<string> {
  const known = await run('locale', ['-a'], { withinMs, env: programEnvironment() }).catch(() => null);
  return known !== null && /^C\.utf-?8$/im.test(known.stdout) ? 'C.UTF-8' : 'C';
}

/** The roles that standbys stream and rewind with. Single-user mode, because no server has been started here yet. */
async function createOwnRoles(binaries: Binaries, directory: string, deadline: Deadline): Promise<void> {
  await run(
    join(binaries.directory, 'postgres'),
    ['--single', '-D', directory, '-j', '-c', 'log_min_messages=fatal', 'postgres'],
    {
      cwd: directory,
      env: programEnvironment(),
      input: [`CREATE ROLE ${replicationRole} LOGIN REPLICATION`, ...rewindRoleStatements(false)]
        .map((statement) => `${statement};\n\n`)
        .join(''),
      withinMs: deadline.leftMs(),
      ...(deadline.signal === undefined ? {} : { signal: deadline.signal }),
    },
  );
}

export async function initialise(
  layout: Layout,
  binaries: Binaries,
  /** Writes our configuration files into the finished directory, before it is put in place. */
  prepare: (directory: string) => Promise<void>,
  clock: Clock,
  deadline: Deadline,
): Promise<{ readonly systemIdentifier: string }> {
  if (hasContent(layout.data)) {
    throw new UnderstudyError(
      'DATA_DIRECTORY_FOREIGN',
      `${layout.data} is not empty; a new cluster needs an empty directory`,
    );
  }
  await beginConstruction(layout, clock, deadline);
  try {
    const locale = await chooseLocale(Math.min(5_000, deadline.leftMs()));
    const args = [
      '-D',
      layout.incoming,
      `--username=${superuser}`,
      '--data-checksums',
      '--encoding=UTF8',
      `--locale=${locale}`,
    ];
    args.push('--auth-local=peer', '--auth-host=scram-sha-256', `--wal-segsize=${walSegmentMb}`);
    await run(join(binaries.directory, 'initdb'), args, {
      cwd: layout.incoming,
      env: programEnvironment(),
      withinMs: deadline.leftMs(),
      ...(deadline.signal === undefined ? {} : { signal: deadline.signal }),
    });
    await createOwnRoles(binaries, layout.incoming, deadline);
    await prepare(layout.incoming);
    const made = readControl(join(layout.incoming, 'global', 'pg_control'));
    if (made.found !== 'control') throw new UnderstudyError('POSTGRES_FAILED', 'initdb left no readable control file');
    await swap(layout, 'plain');
    return { systemIdentifier: made.control.systemIdentifier };
  } catch (cause) {
    await abandonConstruction(layout, clock, deadline);
    if (isDiskFull(cause))
      throw new UnderstudyError('DISK_FULL', `no space for a new cluster in ${layout.data}`, { cause });
    throw cause instanceof UnderstudyError && cause.code !== 'PROCESS_FAILED'
      ? cause
      : new UnderstudyError('POSTGRES_FAILED', 'initialising failed', { cause });
  }
}
