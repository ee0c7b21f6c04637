/**
 * `understudy uri`: how an application reaches its pooler.
 *
 * Invariant: no password in it, since it lands in argument vectors; it names the passfile instead (libpq documentation,
 * 34.1.2 `passfile`). libpq wants that file to be readable by nobody but its owner; root may read it whoever that is.
 * Asks no agent: it reads what the app node's agent wrote beside its pooler.
 */
import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';
import type { AppNode } from '../applications/connection-files.ts';
import type { PoolerConnection } from '../applications/pooler-connection.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { nodeName } from './option-values.ts';

interface UriOptions extends CommonOptions {
  readonly app?: string;
  readonly node?: string;
  readonly readOnly?: boolean;
  readonly format?: string;
  readonly direct?: boolean;
  readonly user?: string;
}

const formats = ['uri', 'service', 'env', 'libpq', 'json'] as const;

const systemNodeFile = '/etc/understudy/node.yaml';
const examples = `
Examples:
  psql "$(understudy uri)" -c 'select 1'
  understudy uri --app wiki --read-only
  understudy uri --app wiki --node web0 --json
  understudy uri --app wiki --node pg1 --read-only
  understudy uri --app wiki --format service > pg_service.conf
  psql "$(understudy uri --direct --app wiki --user report --read-only)"
`;

export function declareUri(program: Command, perform: Perform): void {
  program
    .command('uri')
    .summary('how an application connects')
    .description(
      "Prints how an application reaches the pooler on its node: as a URI, a connection service file, lines for an environment, or JSON. No password is in any of them: they name the passfile that libpq reads. The application's own files, with its password, lie beside that. Must run where they are: on the app node, or on the machine of a stage.",
    )
    .option('--app <name>', 'the application; may be left out when there is only one')
    .option(
      '--node <node>',
      'the app node; the first one that runs the application if left out. With --read-only also a database node: the alias that reads from that one',
      nodeName,
    )
    .option('--read-only', "the alias for reads on standbys instead of the primary's")
    .addOption(new Option('--format <format>', 'what to print').choices(formats).default('uri'))
    .option('--direct', 'past the poolers: to the servers themselves, verified by name')
    .option('--user <role>', 'with --direct: the role to log in as; whom the servers let in is declared elsewhere')
    .option('--json', 'print its parts as JSON; the same as --format json')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<UriOptions>();
      return perform(options, (call) => showUri(call, options));
    });
}

async function showUri(call: Call, options: UriOptions): Promise<number> {
  requireSuitable(options);
  const known = await appNodes(call, options);
  if (options.direct === true) {
    const { showDirect } = await import('./uri-direct.ts');
    return await showDirect(call, options, appNodesNamed(options.node, known));
  }
  const { connectionFiles, filesOf, readConnection } = await import('../applications/connection-files.ts');
  // Not one of those: a database node, which the applications' files name.
  const target = known.some(({ node }) => node === options.node) ? undefined : options.node;
  const places = target === undefined ? appNodesNamed(options.node, known) : known;
  const [found] = filesOf(options.app, connectionFiles(places));
  const purpose = options.readOnly === true ? 'read' : 'write';
  const { connection, database, uri } = readConnection(found, target === undefined ? purpose : { node: target });
  if (target !== undefined) requireReading(target, options);
  const { host, port, passfile, socketDirectory, user } = connection;
  const { application, directory, node } = found;
  const parts = { uri, application, node, host, port, socketDirectory, user, database, passfile, directory };
  if (call.terminal.json || options.format === 'json') call.terminal.printJson(parts);
  else call.terminal.print(options.format === 'uri' ? uri : await textOf(options, connection, target));
  return exitCodes.done;
}

function requireSuitable({ direct, format = 'uri', user }: UriOptions): void {
  const own = direct === true ? ['uri', 'libpq', 'json'] : ['uri', 'service', 'env', 'json'];
  if (!own.includes(format)) {
    throw new UnderstudyError(
      'REQUEST_INVALID',
      `${format} is no format ${direct === true ? 'of' : 'without'} --direct`,
      {
        hint: `take ${own.join(', ')}`,
      },
    );
  }
  if (user === undefined || direct === true) return;
  throw new UnderstudyError('REQUEST_INVALID', '--user goes with --direct: at a pooler the user is the application', {
    hint: 'leave it out',
  });
}

function requireReading(node: string, { readOnly }: UriOptions): void {
  if (readOnly === true) return;
  throw new UnderstudyError('REQUEST_INVALID', `${node} is reached for reads alone, whatever its role`, {
    hint: 'add --read-only; writes go to the primary, wherever that is',
  });
}

/** Of both aliases; with --read-only of the one for reads alone, or of that node's. */
async function textOf(
  { format, readOnly }: UriOptions,
  connection: PoolerConnection,
  target: string | undefined,
): Promise<string> {
  const { environmentText, serviceText } = await import('../applications/connection-texts.ts');
  const { aliasOfNode } = await import('../applications/pooler-connection.ts');
  const read = target === undefined ? connection.read : aliasOfNode(connection, target);
  const login = { ...connection, read, write: readOnly === true ? null : connection.write, password: null };
  return (format === 'service' ? serviceText(login) : environmentText(login)).trimEnd();
}

/** From the context file; on a server whose context names none, from the node's own file. */
async function appNodes(call: Call, options: UriOptions): Promise<readonly AppNode[]> {
  const { findContextFile } = await import('./context.ts');
  const isNamed = findContextFile({ named: options.context, io: call.io }) !== null;
  const named = isNamed ? (await call.context()).apps : [];
  const known = named.length > 0 ? named : await ownNode();
  // Says what is missing: a cluster, not an application.
  if (known.length === 0 && !isNamed) await call.context();
  return known;
}

function appNodesNamed(wanted: string | undefined, known: readonly AppNode[]): readonly AppNode[] {
  const matching = known.filter((node) => wanted === undefined || node.node === wanted);
  if (matching.length > 0 || wanted === undefined) return matching;
  const names = known.map((node) => node.node).join(', ');
  throw new UnderstudyError('NOT_FOUND', `there is no app node ${wanted} on this machine`, {
    hint: names === '' ? 'run it on the app node itself' : `app nodes here: ${names}`,
  });
}

async function ownNode(): Promise<readonly AppNode[]> {
  if (!existsSync(systemNodeFile)) return [];
  const { loadNodeFile } = await import('../config/load-node-file.ts');
  const { applicationsDirectory } = await import('../config/node-file.ts');
  const file = loadNodeFile(systemNodeFile);
  return file.role === 'app' ? [{ node: file.node, files: applicationsDirectory(file) }] : [];
}
