/** `understudy dump DATABASE`: one database, or tables of it, as an archive of pg_dump in a file. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { DrawnLine } from './drawn-line.ts';
import type { LocalServer } from './local-servers.ts';
import { collect, nodeName } from './option-values.ts';
import { bytesText, spanText } from './words.ts';

interface DumpOptions extends CommonOptions {
  readonly to?: string;
  readonly table: readonly string[];
  readonly from?: string;
  readonly schemaOnly?: boolean;
}

const examples = `
Examples:
  understudy dump shop
  understudy dump shop --to /srv/dumps/shop.dump
  understudy dump shop --table users --table 'billing."Odd name"' --json
  understudy dump shop --schema-only --from pg1

On a database node it dumps from the server of that node; on a stage from a standby that keeps up, if there is one. It
must be called as root, or as the user of the agent. A dump of single tables has nothing of what they depend on.
`;

export function declareDump(program: Command, perform: Perform): void {
  program
    .command('dump')
    .summary('one database into a file')
    .description(
      'Dumps one database, or tables of it, into an archive for understudy load and pg_restore. The file gets its name when it is whole.',
    )
    .argument('<database>', 'the database')
    .option('--to <file>', 'the file, which must not be there yet; named by the database and the time if left out')
    .option('--table <table>', 'only this table; with commas, or repeated', collect, [])
    .option('--from <node>', 'the database node, which must be on this machine', nodeName)
    .option('--schema-only', 'definitions without rows')
    .option('--json', 'print what was done as JSON')
    .addHelpText('after', examples)
    .action((database: string, _, command: Command) => {
      const options = command.optsWithGlobals<DumpOptions>();
      return perform(options, (call) => dump(call, database, options));
    });
}

async function dump(call: Call, database: string, options: DumpOptions): Promise<number> {
  const [{ dumpToFile }, { requireDatabase }, { fittest, localServers }] = await Promise.all([
    import('../logical/dump.ts'),
    import('../logical/databases.ts'),
    import('./local-servers.ts'),
  ]);
  const chosen = fittest(await localServers(call, options.from));
  if (chosen === undefined) throw new UnderstudyError('NOT_FOUND', 'there is no server to dump from');
  const { bytes: size } = await requireDatabase(chosen.server, database, call.signal);
  const tables = await patternsOf(call, chosen, database, options.table);
  const began = Date.now();
  const file = resolve(call.io.cwd, options.to ?? `${fileNameOf(database)}-${stampOf(began)}.dump`);
  const role = chosen.inRecovery ? 'standby' : 'primary';
  if (!call.terminal.json) call.terminal.print(`${database} (${bytesText(size)}) from ${chosen.node}, ${role}`);
  const line = new DrawnLine(call.terminal);
  const onProgress = (written: number): void => {
    const perS = (written * 1_000) / Math.max(1, Date.now() - began);
    line.show(`${bytesText(written)} written, ${bytesText(Math.round(perS))}/s`, Date.now());
  };
  const wishes = { database, tables, schemaOnly: options.schemaOnly === true };
  const bytes = await dumpToFile(chosen.server, wishes, file, { signal: call.signal, onProgress }).finally(() =>
    line.close(),
  );
  const ms = Date.now() - began;
  const { schemaOnly } = wishes;
  if (call.terminal.json) {
    call.terminal.printJson({ database, node: chosen.node, role, file, bytes, ms, tables: options.table, schemaOnly });
  } else call.terminal.print(`${file}: ${bytesText(bytes)} in ${spanText(ms)}`);
  return exitCodes.done;
}

async function patternsOf(
  { signal }: Call,
  { server }: LocalServer,
  database: string,
  tables: readonly string[],
): Promise<readonly string[]> {
  const { tablePatterns } = await import('../logical/databases.ts');
  const patterns: string[] = [];
  for (const table of tables) patterns.push(...(await tablePatterns(server, database, table, signal)));
  return patterns;
}

/** A database's name may hold what a file's can't. */
function fileNameOf(database: string): string {
  return database.replace(/[^\w.-]/gu, '_').replace(/^\./, '_');
}

function stampOf(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');
}
