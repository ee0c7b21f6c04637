/**
 * `understudy uri`: how an application reaches its pooler, as a libpq connection URI.
 *
 * Invariant: no password in it, since it lands in argument vectors; it names the passfile instead (libpq documentation,
 * 34.1.2 `passfile`). libpq wants that file to be readable by nobody but its owner; root may read it whoever that is.
 * Asks no agent: it reads what the app node's agent wrote beside its pooler.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { PoolerConnection } from './pooler-connection.ts';

interface UriOptions extends CommonOptions {
  readonly app?: string;
  readonly node?: string;
  readonly readOnly?: boolean;
}

interface AppNode {
  readonly node: string;
  /** The node's state directory. */
  readonly state: string;
}

interface Found {
  readonly node: string;
  readonly application: string;
  readonly file: string;
}

const systemNodeFile = '/etc/understudy/node.yaml';
const examples = `
Examples:
  psql "$(understudy uri)" -c 'select 1'
  understudy uri --app wiki --read-only
  understudy uri --app wiki --node web0 --json
`;

export function declareUri(program: Command, perform: Perform): void {
  program
    .command('uri')
    .summary("an application's connection URI")
    .description(
      'Prints the URI by which an application reaches the pooler on its node. It holds no password: it names the passfile that libpq reads. Must run where that file is: on the app node, or on the machine of a stage.',
    )
    .option('--app <name>', 'the application; may be left out when there is only one')
    .option('--node <node>', 'the app node; the first one that runs the application if left out')
    .option('--read-only', "the alias for reads on standbys instead of the primary's")
    .option('--json', 'print its parts as JSON')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<UriOptions>();
      return perform(options, (call) => showUri(call, options));
    });
}

async function showUri(call: Call, options: UriOptions): Promise<number> {
  const { connectionUri, readPoolerConnection } = await import('./pooler-connection.ts');
  const found = choose(connectionsOn(await appNodes(call, options)), options);
  const connection = readPoolerConnection(readConnectionFile(found.file), found.file);
  const database = aliasOf(connection, options.readOnly === true, found);
  const uri = connectionUri(connection, database);
  const { host, port, passfile, socketDirectory, user } = connection;
  const { application, node } = found;
  if (call.terminal.json)
    call.terminal.printJson({ uri, application, node, host, port, socketDirectory, user, database, passfile });
  else call.terminal.print(uri);
  return exitCodes.done;
}

/** From the context file; on a server whose context names none, from the node's own file. */
async function appNodes(call: Call, options: UriOptions): Promise<readonly AppNode[]> {
  const { findContextFile } = await import('./context.ts');
  const isNamed = findContextFile({ named: options.context, env: call.io.env, cwd: call.io.cwd }) !== null;
  const named = isNamed ? (await call.context()).apps : [];
  const known = named.length > 0 ? named : await ownNode();
  // Says what is missing: a cluster, not an application.
  if (known.length === 0 && !isNamed) await call.context();
  const wanted = options.node;
  if (wanted === undefined) return known;
  const matching = known.filter((node) => node.node === wanted);
  if (matching.length > 0) return matching;
  const names = known.map((node) => node.node).join(', ');
  throw new UnderstudyError('NOT_FOUND', `there is no app node ${wanted} on this machine`, {
    hint: names === '' ? 'run it on the app node itself' : `app nodes here: ${names}`,
  });
}

async function ownNode(): Promise<readonly AppNode[]> {
  if (!existsSync(systemNodeFile)) return [];
  const { loadNodeFile } = await import('../config/load-node-file.ts');
  const file = loadNodeFile(systemNodeFile);
  return file.role === 'app' ? [{ node: file.node, state: file.directories.state }] : [];
}

function connectionsOn(nodes: readonly AppNode[]): readonly Found[] {
  return nodes.flatMap(({ node, state }) => {
    const directory = join(state, 'apps');
    return applicationsIn(directory).map((application) => ({
      node,
      application,
      file: join(directory, application, 'connection.json'),
    }));
  });
}

/** Throws CONFIG_UNREADABLE when it is there and may not be read; an agent that has written nothing yet has none. */
function applicationsIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw unreadable(directory, error);
  }
}

function readConnectionFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(path: string, cause: unknown): UnderstudyError {
  return new UnderstudyError('CONFIG_UNREADABLE', `${path} can't be read: ${describeError(cause)}`, {
    hint: 'run it as root, or as the user that the agent on that node runs as',
  });
}

function choose(found: readonly Found[], { app }: UriOptions): Found {
  const names = [...new Set(found.map(({ application }) => application))].sort();
  if (names.length === 0) {
    throw new UnderstudyError('NOT_FOUND', 'no application has a pooler on this machine yet', {
      hint: 'declare one under `applications` and apply that; its app node writes the connection when it knows the primary',
    });
  }
  if (app === undefined && names.length > 1) {
    throw new UnderstudyError('REQUEST_INVALID', `which application? There are ${names.join(', ')}`, {
      hint: 'add --app NAME',
    });
  }
  const wanted = app ?? names[0];
  const chosen = found.find(({ application }) => application === wanted);
  if (chosen !== undefined) return chosen;
  throw new UnderstudyError('NOT_FOUND', `there is no application ${wanted} here`, {
    hint: `applications are ${names.join(', ')}`,
  });
}

function aliasOf(connection: PoolerConnection, readOnly: boolean, { application, node }: Found): string {
  const alias = readOnly ? connection.read : connection.write;
  if (alias !== null) return alias;
  throw new UnderstudyError('NOT_FOUND', `${application} has no alias for ${readOnly ? 'reads' : 'writes'} on ${node}`);
}
