/**
 * `understudy load FILE`: an archive of pg_dump into a database, whole or not at all.
 *
 * Invariant: what is in a database is not touched unless `--clean` says so and a person, or `--yes`, confirms it.
 */
import { closeSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Database } from '../logical/databases.ts';
import type { Archive, LoadWishes } from '../logical/load.ts';
import type { Server } from '../logical/server.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { confirm } from './confirmation.ts';
import type { LocalServer } from './local-servers.ts';
import { countText, spanText } from './words.ts';

interface LoadFileOptions extends CommonOptions {
  readonly into?: string;
  readonly clean?: boolean;
  /** Commander's way of reading `--no-owner`. */
  readonly owner: boolean;
  readonly yes?: boolean;
}

const examples = `
Examples:
  understudy load shop.dump                        into the database it was dumped from, if that is empty
  understudy load shop.dump --into shop_yesterday  into a new one
  understudy load shop.dump --clean                drop what the archive has, and load it again
  understudy load foreign.dump --into wiki --no-owner --yes

It must be called on the primary's node (or in a stage's directory), as root or as the user of the agent. It is one
transaction: exit code 1 means that nothing was loaded. A database made by --into is in no declaration, so that no
application has access to it until you declare it.
`;

export function declareLoadFile(program: Command, perform: Perform): void {
  program
    .command('load')
    .summary('a dump into a database')
    .description(
      'Loads an archive of understudy dump, or of pg_dump --format=custom, into one database: all of it or nothing.',
    )
    .argument('<file>', 'the archive')
    .option('--into <database>', 'the database, made if it is not there; the one of the archive if left out')
    .option('--clean', 'drop what the archive has before it is made anew')
    .option('--no-owner', "everything belongs to the database's owner, whoever owned it")
    .option('--yes', 'do not ask')
    .option('--json', 'print what was done as JSON')
    .addHelpText('after', examples)
    .action((file: string, _, command: Command) => {
      const options = command.optsWithGlobals<LoadFileOptions>();
      return perform(options, (call) => loadFile(call, file, options));
    });
}

async function loadFile(call: Call, written: string, options: LoadFileOptions): Promise<number> {
  if (options.clean === true && !options.owner) {
    throw new UnderstudyError('REQUEST_INVALID', '--clean and --no-owner exclude each other', {
      hint: 'load it into a new database: --into NAME --no-owner',
    });
  }
  const file = resolve(call.io.cwd, written);
  const descriptor = openArchive(file);
  try {
    const { localServers } = await import('./local-servers.ts');
    const primary = primaryOf(await localServers(call));
    return await loadInto(call, primary, { descriptor, file, options });
  } finally {
    closeSync(descriptor);
  }
}

function openArchive(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (cause) {
    throw new UnderstudyError('CONFIG_UNREADABLE', `${file} can't be read: ${describeError(cause)}`, { cause });
  }
}

function primaryOf(servers: readonly LocalServer[]): LocalServer {
  const found = servers.find(({ inRecovery }) => !inRecovery);
  if (found !== undefined) return found;
  throw new UnderstudyError(
    'REFUSED',
    `no primary is on this machine: ${servers.map(({ node }) => node).join(', ')} can't be written`,
    {
      hint: 'call it on the node that understudy status names as primary',
    },
  );
}

interface Loading {
  readonly descriptor: number;
  readonly file: string;
  readonly options: LoadFileOptions;
}

async function loadInto(call: Call, { node, server }: LocalServer, loading: Loading): Promise<number> {
  const { descriptor, file, options } = loading;
  const { loadArchive, readArchive } = await import('../logical/load.ts');
  const archive = await readArchive(server, descriptor, file);
  const wishes = await wishesFor(call, server, archive, options);
  const words = wordsOf(archive, wishes, node);
  if (!call.terminal.json) call.terminal.print(...words);
  await confirm(call, 'Load it?', options.yes === true);
  const began = Date.now();
  // A read of its list has moved the place in the file.
  const again = openSync(file, 'r');
  await loadArchive(server, again, wishes, call.signal).finally(() => closeSync(again));
  const ms = Date.now() - began;
  const { clean, database, make } = wishes;
  const done = { file, node, database, made: make !== null, cleaned: clean, tables: archive.tables, ms };
  if (call.terminal.json) call.terminal.printJson(done);
  else call.terminal.print(`Loaded into ${database} in ${spanText(ms)}, and analyzed.`);
  return exitCodes.done;
}

const ours = new Set(['postgres', 'template0', 'template1']);

async function wishesFor(
  { signal }: Call,
  server: Server,
  archive: Archive,
  options: LoadFileOptions,
): Promise<LoadWishes> {
  const { countTables, listDatabases } = await import('../logical/databases.ts');
  const database = options.into ?? archive.database;
  if (ours.has(database) || database === '') {
    throw new UnderstudyError(
      'REFUSED',
      `nothing is loaded into ${database === '' ? 'a database without a name' : database}`,
      {
        hint: 'name another database with --into',
      },
    );
  }
  const all = await listDatabases(server, signal);
  const target = all.find(({ name }) => name === database);
  const like = all.find(({ name }) => name === archive.database) ?? null;
  if (target === undefined) return { ...newDatabase(database, like, options), clean: false };
  const clean = options.clean === true;
  if (!clean) await refuseFull(database, await countTables(server, database, signal));
  return { database, make: null, clean, owner: options.owner ? null : target.owner };
}

function newDatabase(database: string, like: Database | null, options: LoadFileOptions) {
  if (options.into === undefined) {
    throw new UnderstudyError('NOT_FOUND', `there is no database ${database}, from which the archive was made`, {
      hint: `declare it and apply, or have one made: --into ${database}`,
    });
  }
  return { database, make: { like }, owner: options.owner ? null : (like?.owner ?? 'postgres') };
}

async function refuseFull(database: string, tables: number): Promise<void> {
  if (tables === 0) return;
  throw new UnderstudyError('REFUSED', `${database} has ${countText(tables, 'table')} or other relations already`, {
    hint: '--into NAME loads into a new database; --clean drops what the archive has, and loads it again',
  });
}

function wordsOf(archive: Archive, { clean, database, make, owner }: LoadWishes, node: string): readonly string[] {
  const what = `${countText(archive.tables, 'table')}, ${archive.tablesWithRows} with rows`;
  return [
    `${archive.database} of ${archive.createdAt}, PostgreSQL ${archive.serverVersion}: ${what}`,
    make === null ? `Into ${database} on ${node}, which is there.` : `Into ${database} on ${node}, which is made.`,
    ...(clean ? ['What the archive has is DROPPED there first, with all its present rows.'] : []),
    ...(owner === null ? [] : [`Everything will belong to ${owner}.`]),
    'One transaction: all of it or nothing.',
  ];
}
