/**
 * `understudy uri`: how an application reaches its pooler, as a libpq connection URI.
 *
 * Invariant: no password in it, since it lands in argument vectors; it names the passfile instead (libpq documentation,
 * 34.1.2 `passfile`). libpq wants that file to be readable by nobody but its owner; root may read it whoever that is.
 * Asks no agent: it reads what the app node's agent wrote beside its pooler.
 */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { AppNode } from '../applications/connection-files.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { nodeName } from './option-values.ts';

interface UriOptions extends CommonOptions {
  readonly app?: string;
  readonly node?: string;
  readonly readOnly?: boolean;
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
    .option('--node <node>', 'the app node; the first one that runs the application if left out', nodeName)
    .option('--read-only', "the alias for reads on standbys instead of the primary's")
    .option('--json', 'print its parts as JSON')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<UriOptions>();
      return perform(options, (call) => showUri(call, options));
    });
}

async function showUri(call: Call, options: UriOptions): Promise<number> {
  const { connectionFiles, filesOf, readConnection } = await import('../applications/connection-files.ts');
  const [found] = filesOf(options.app, connectionFiles(await appNodes(call, options)));
  const { connection, database, uri } = readConnection(found, options.readOnly === true ? 'read' : 'write');
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
  const isNamed = findContextFile({ named: options.context, io: call.io }) !== null;
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
