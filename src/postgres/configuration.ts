/**
 * The server's own configuration files.
 *
 * `postgresql.conf` stays the administrator's and gets one block of includes at its end; `understudy.conf`,
 * `pg_hba.conf` and `pg_ident.conf` are ours as a whole. Written atomically, mode 0600.
 * What is set in `postgresql.auto.conf` (ALTER SYSTEM) would win over all of these: owned parameters found there are
 * taken out, since a cluster whose port or replication is set by hand on one node can't be steered.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ServerConfiguration } from '../ports/postgres.ts';
import { settingLine } from './conninfo.ts';
import { keepFile, readOptional } from './durable-files.ts';
import { settingsFile, upstreamFile } from './layout.ts';
import type { Session } from './session.ts';

const notice = '# Written by understudy; changes made here are overwritten. Declare them in the cluster file.';
const includeBlock = [
  '',
  '# Added by understudy: keep these lines last.',
  `include_if_exists '${settingsFile}'`,
  `include_if_exists '${upstreamFile}'`,
  '',
].join('\n');

function isSetting(line: string, names: ReadonlySet<string>): boolean {
  const name = /^\s*([A-Za-z_][A-Za-z0-9_.]*)\s*=/.exec(line)?.[1]?.toLowerCase();
  return name !== undefined && names.has(name);
}

/** Writes what differs; answers whether anything did. The directory holds a cluster. */
export async function writeConfiguration(directory: string, configuration: ServerConfiguration): Promise<boolean> {
  const parameters = Object.entries(configuration.parameters).map(([name, value]) => settingLine(name, value));
  const written = [
    await keepFile(join(directory, settingsFile), [notice, ...parameters, ''].join('\n')),
    await keepFile(join(directory, 'pg_hba.conf'), [notice, ...configuration.hba, ''].join('\n')),
    await keepFile(join(directory, 'pg_ident.conf'), [notice, ...configuration.ident, ''].join('\n')),
  ];
  const main = join(directory, 'postgresql.conf');
  const text = (await readOptional(main)) ?? '';
  // Compared by the end of the file: lines added after ours would win over them.
  if (!text.endsWith(includeBlock)) written.push(await keepFile(main, text.replace(includeBlock, '\n') + includeBlock));
  const automatic = join(directory, 'postgresql.auto.conf');
  const set = await readOptional(automatic);
  if (set !== null) {
    const names = new Set([...Object.keys(configuration.parameters), 'primary_conninfo', 'primary_slot_name']);
    const lines = set.split('\n').filter((line) => !isSetting(line, names));
    written.push(await keepFile(automatic, lines.join('\n')));
  }
  return written.includes(true);
}

const complaint = z.object({ complaint: z.string() });

/** Lines that the server could not use, each with its file and number. Restart-only parameters are no mistake. */
export async function configurationErrors(
  session: Session,
  major: number,
  withinMs: number,
): Promise<readonly string[]> {
  const ident =
    major >= 15
      ? `union all select 'pg_ident.conf:' || line_number || ': ' || error from pg_ident_file_mappings where error is not null`
      : '';
  // Looking at the files marks what waits for a restart in this session, so that the second look can tell it from a
  // value that is wrong: both are called "could not be applied".
  await session.execute('select count(*) from pg_file_settings', withinMs);
  const rows = await session.query(
    {
      row: complaint,
      text: `
        select coalesce(regexp_replace(f.sourcefile, '^.*/', '') || ':' || f.sourceline || ': ', '') || coalesce(f.name || ': ', '') || f.error
            as complaint
          from pg_file_settings f left join pg_settings s on s.name = f.name
          where f.error is not null and s.pending_restart is not true
            -- Of no file and no parameter: one that no file has any more, and that keeps its value until a restart.
            and (f.sourcefile is not null or f.name is not null)
        union all select 'pg_hba.conf:' || line_number || ': ' || error from pg_hba_file_rules where error is not null
        ${ident}`,
    },
    withinMs,
  );
  return rows.map((row) => row.complaint);
}

export function refuseMistakes(mistakes: readonly string[]): void {
  if (mistakes.length === 0) return;
  throw new UnderstudyError('CONFIG_INVALID', `PostgreSQL does not accept its configuration: ${mistakes.join('; ')}`, {
    hint: 'mend the parameters in the cluster file and apply it again; the server goes on with the previous ones',
  });
}
