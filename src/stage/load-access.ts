/** What a load needs of a stage: its applications' connections, and a way to each database node past the poolers. */
import { z } from 'zod';
import { connectionFiles, filesOf, readConnection } from '../applications/connection-files.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { LoadTarget } from '../load/load.ts';
import type { Node, NodeQuery } from '../load/node-access.ts';
import { run } from '../process/run.ts';
import { applicationFiles, runDirectory, type StageRecord } from './record.ts';

/** Ids of half a million attempts are some 5 MB. */
const mostAnswerBytes = 64 * 1024 * 1024;
/** Nothing of the caller's environment: it may name another server. */
const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', PGCONNECT_TIMEOUT: '5' };

/** At the pooler of each of its app nodes. Throws NOT_FOUND, REQUEST_INVALID, CONFIG_UNREADABLE, CONFIG_INVALID. */
export function stageTargets(record: StageRecord, application: string | undefined): readonly LoadTarget[] {
  const apps = record.nodes.filter(({ role }) => role === 'app');
  const places = apps.map(({ name }) => ({ node: name, files: applicationFiles(record, name) }));
  return filesOf(application, connectionFiles(places)).map((file) => {
    const { application, node } = file;
    return { application, node, uri: readConnection(file, 'write').uri };
  });
}

/** Each database node over its own socket, where PostgreSQL lets the stage's account in as its superuser. */
export function stageDatabaseNodes(record: StageRecord): readonly Node[] {
  return record.nodes
    .filter(({ role }) => role === 'database')
    .map(({ name }) => ({ node: name, query: (...asked) => query(record, name, ...asked) }));
}

async function query(
  record: StageRecord,
  node: string,
  ...[database, sql, withinMs]: Parameters<NodeQuery>
): Promise<readonly unknown[]> {
  const wrapped = `select coalesce(json_agg(answer), '[]') from (${sql}) answer`;
  const place = ['-h', runDirectory(record, node), '-U', 'postgres', '-d', database];
  // The statement goes in by standard input: psql then says which line of it is wrong, and no list of processes shows it.
  const { stdout, truncated } = await run('psql', ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', ...place], {
    withinMs,
    cwd: '/',
    env: environment,
    input: `${wrapped};\n`,
    maxOutputBytes: mostAnswerBytes,
    ...(process.getuid?.() === 0 ? { user: record.user } : {}),
  });
  const rows = z.array(z.unknown()).safeParse(truncated ? null : JSON.parse(stdout));
  if (rows.success) return rows.data;
  throw new UnderstudyError('ANSWER_INVALID', `the answer of ${node} could not be read whole`);
}
