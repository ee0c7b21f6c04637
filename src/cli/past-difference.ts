/**
 * `understudy past MOMENT --table` and `--tables`: what differs between then and now, and the statements that bring rows back.
 *
 * Invariant: changes nothing but the file it was asked for, which is made by whoever calls, for nobody else to read. What is shown of
 * now is one snapshot of the server of this machine: the primary's, where it is here.
 */
import { closeSync, constants, fchmodSync, fstatSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ClientConfig } from 'pg';
import type { Sides } from '../comparison/compare-table.ts';
import type { Difference } from '../comparison/differences.ts';
import type { TableShape } from '../comparison/table-shape.ts';
import { targetText } from '../core/backups/target.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { socketDirectory } from '../past/parts.ts';
import type { InstanceRecord } from '../past/scratch.ts';
import type { Call } from './call.ts';
import type { LocalServer } from './local-servers.ts';
import { openAt, type PastOptions, requireInstance } from './past-opening.ts';
import type { PastPlace } from './past-place.ts';
import { columns, countText } from './words.ts';

const statementWithinMs = 3_600_000;
const shownRows = 10;

interface Compared {
  readonly sides: Sides;
  readonly record: InstanceRecord;
  readonly present: LocalServer;
  readonly database: string;
}

/** The server of this machine that is nearest to now. Throws REFUSED where that is of the past. */
export async function presentServer(call: Call): Promise<LocalServer> {
  return requireNow(await nearestServer(call));
}

export function requireNow(found: LocalServer): LocalServer {
  if (!found.isDelayed) return found;
  throw new UnderstudyError('REFUSED', `${found.node}, a delayed standby, does not know what is now`, {
    hint: 'open it here, and read it by its URI; or call this on the node of the primary, where the repository serves',
  });
}

/** It may be one that is delayed. */
export async function nearestServer(call: Call): Promise<LocalServer> {
  const { fittest, localServers } = await import('./local-servers.ts');
  const servers = await localServers(call);
  const found = servers.find(({ inRecovery }) => !inRecovery) ?? fittest(servers);
  if (found === undefined) throw new UnderstudyError('NOT_FOUND', 'there is no server to compare with');
  return found;
}

/** That which was named, or the only one that is not PostgreSQL's own. Throws REQUEST_INVALID, NOT_FOUND. */
export async function chosenDatabase(call: Call, present: LocalServer, named: string | undefined): Promise<string> {
  const { listDatabases, requireDatabase } = await import('../logical/databases.ts');
  if (named !== undefined) return (await requireDatabase(present.server, named, call.signal)).name;
  const all = (await listDatabases(present.server, call.signal)).filter(
    ({ name }) => name !== 'postgres' && !name.startsWith('template'),
  );
  const [only] = all;
  if (only !== undefined && all.length === 1) return only.name;
  throw new UnderstudyError('REQUEST_INVALID', 'which database? name it with --database', {
    hint: `databases are ${all.map(({ name }) => name).join(', ') || 'none'}`,
  });
}

export function presentConfig({ server }: LocalServer, database: string): ClientConfig {
  return { host: server.host, port: server.port, user: server.user, database };
}

export function pastConfig({ parts }: PastPlace, record: InstanceRecord, database: string): ClientConfig {
  return { host: socketDirectory(parts, record.id), port: record.port, user: 'postgres', database };
}

export async function showDifference(call: Call, moment: string, options: PastOptions): Promise<number> {
  const [{ pastPlace, readTarget }, { sweep, endOne }] = await Promise.all([
    import('./past-place.ts'),
    import('../past/ending.ts'),
  ]);
  const isOpenOne = /^p\d+$/.test(moment);
  const target = isOpenOne ? null : await readTarget(moment);
  // What only root may do comes before it becomes somebody else.
  const file = options.sql === undefined ? null : openScript(resolve(call.io.cwd, options.sql));
  let isWritten = false;
  try {
    const present = await presentServer(call);
    const database = await chosenDatabase(call, present, options.database);
    const place = await pastPlace(call, options.node);
    await sweep(place.parts);
    const record = target === null ? requireInstance(place.parts, moment) : await openAt(call, place, target, options);
    try {
      await withSides(call, place, { record, present, database }, (compared) =>
        options.table === undefined ? overview(call, compared, options) : table(call, compared, options, file?.fd),
      );
      isWritten = true;
    } finally {
      if (!isOpenOne && options.for === undefined) await endOne(place.parts, record, { warm: true });
    }
  } finally {
    file?.close(isWritten);
  }
  return exitCodes.done;
}

interface Script {
  readonly fd: number;
  close(isWhole: boolean): void;
}

/** A file that is there and empty may be what an attempt left that failed. */
function openScript(path: string): Script {
  const hint = 'it must not be there yet, or be empty';
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
  } catch (cause) {
    throw new UnderstudyError('REQUEST_INVALID', `can't make ${path}`, { cause, hint });
  }
  const there = fstatSync(fd);
  if (there.isFile() && there.size === 0) {
    fchmodSync(fd, 0o600);
    return { fd, close: (isWhole) => closeScript(fd, path, isWhole) };
  }
  closeSync(fd);
  throw new UnderstudyError('REQUEST_INVALID', `${path} is there already`, { hint });
}

/** Half of a script is worse than none. */
function closeScript(fd: number, path: string, isWhole: boolean): void {
  if (!isWhole) {
    ftruncateSync(fd);
    try {
      unlinkSync(path);
    } catch {
      // Not this user's to remove any more: it is left, and empty.
    }
  }
  closeSync(fd);
}

async function withSides(
  call: Call,
  place: PastPlace,
  about: Omit<Compared, 'sides'>,
  work: (compared: Compared) => Promise<void>,
): Promise<void> {
  const { openSnapshot } = await import('../comparison/snapshot.ts');
  const { database, present, record } = about;
  const options = { statementTimeoutMs: statementWithinMs, signal: call.signal };
  const past = await openSnapshot(pastConfig(place, record, database), { name: 'then', ...options });
  try {
    const now = await openSnapshot(presentConfig(present, database), { name: 'now', ...options });
    try {
      await work({ ...about, sides: { past, present: now } });
    } finally {
      await now.close();
    }
  } finally {
    await past.close();
  }
}

async function overview(call: Call, { database, record, sides }: Compared, options: PastOptions): Promise<void> {
  const { compareCatalogs } = await import('../comparison/catalog-overview.ts');
  const found = await compareCatalogs(sides, options.count === true ? 'counted' : 'estimated');
  if (call.terminal.json) {
    call.terminal.printJson({ database, past: targetText(record.target), ...found });
    return;
  }
  const count = (rows: number | null): string => (rows === null ? '?' : String(rows));
  const lines = found.tables.map(({ name, rowsNow, rowsThen, schema, standing }) => [
    `${schema}.${name}`,
    standing === 'kept' ? '' : standing,
    standing === 'new' ? '-' : count(rowsThen),
    standing === 'gone' ? '-' : count(rowsNow),
  ]);
  call.terminal.print(
    `${database} at ${targetText(record.target)} and now; rows are ${found.counting}`,
    ...columns([['table', '', 'then', 'now'], ...lines]),
  );
}

async function table(call: Call, compared: Compared, options: PastOptions, fd: number | undefined): Promise<void> {
  const [{ compareTable, findShape }, { restoringStatement, scriptEnd, scriptHead }] = await Promise.all([
    import('../comparison/compare-table.ts'),
    import('../comparison/restoring-script.ts'),
  ]);
  const { database, present, record, sides } = compared;
  const { key, limit, where } = options;
  const shape = await findShape(sides, options.table ?? '', key === undefined ? {} : { key });
  const about = { past: targetText(record.target), present: `now on ${present.node}`, database };
  const write = (text: string): void => {
    if (fd !== undefined && text !== '') writeSync(fd, text.endsWith('\n') ? text : `${text}\n`);
  };
  write(scriptHead(shape, about));
  const shown: Difference[] = [];
  const result = await compareTable(sides, shape, {
    ...(where === undefined ? {} : { where }),
    ...(limit === undefined ? {} : { limit }),
    onDifference: (difference) => {
      if (shown.length < shownRows) shown.push(difference);
      write(restoringStatement(shape, difference, { withNew: true }));
    },
  });
  write(scriptEnd());
  const name = `${shape.schema}.${shape.name}`;
  if (call.terminal.json) {
    const { onlyNow, onlyThen } = shape;
    const examples = shown.map((difference) => asObject(shape, difference));
    call.terminal.printJson({
      ...{ database, table: name, past: about.past, node: present.node, ...result, onlyThen, onlyNow, examples },
      sql: options.sql ?? null,
    });
    return;
  }
  const all = result.isWhole ? '' : '; there may be more, the limit is reached';
  call.terminal.print(
    `${name} in ${database}: ${countText(result.rowsThen, 'row')} at ${about.past}, ${result.rowsNow} now`,
    `${result.gone} gone, ${result.changed} changed, ${result.new} new${all}`,
    ...shown.map((difference) => `  ${lineOf(shape, difference)}`),
    ...(result.gone + result.changed + result.new > shown.length ? ['  …'] : []),
    ...(options.sql === undefined
      ? []
      : [`${options.sql} brings back what is gone or changed: read it, then run it with psql`]),
  );
}

function cellsByName(shape: TableShape, cells: readonly (string | null)[]): Record<string, string | null> {
  return Object.fromEntries(shape.columns.map(({ name }, index) => [name, cells[index] ?? null]));
}

function asObject(shape: TableShape, difference: Difference) {
  return {
    kind: difference.kind,
    past: difference.kind === 'new' ? null : cellsByName(shape, difference.past),
    present: difference.kind === 'gone' ? null : cellsByName(shape, difference.present),
  };
}

function lineOf(shape: TableShape, difference: Difference): string {
  const own = cellsByName(shape, difference.kind === 'new' ? difference.present : difference.past);
  const key = shape.key.map(({ column }) => `${column.name}=${own[column.name] ?? 'NULL'}`).join(', ');
  if (difference.kind !== 'changed') return `${difference.kind} ${key}`;
  const now = cellsByName(shape, difference.present);
  const changes = difference.columns.map((name) => `${name} ${short(own[name])} -> ${short(now[name])}`);
  return `changed ${key}: ${changes.join(', ')}`;
}

const shortest = 40;

function short(value: string | null | undefined): string {
  if (value === null || value === undefined) return 'NULL';
  const line = value.replace(/\s+/g, ' ');
  return line.length > shortest ? `${line.slice(0, shortest - 1)}…` : line;
}
