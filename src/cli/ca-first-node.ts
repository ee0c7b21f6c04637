/** `understudy ca first-node`: what the first database node of a new cluster needs, made where the authority is: nobody else can sign yet. */
import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { defaultApiPort, type NodeFile } from '../config/node-file.ts';
import { personForMs } from '../core/enrolment.ts';
import { findNode, type NodeSpec, nodesOfRole, type Spec } from '../core/spec.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Authority } from '../pki/authority.ts';
import type { Credentials } from '../pki/credential-files.ts';
import { authorityPlace, type PlaceOptions, rootPassphrase, usualAuthorityDirectory } from './authority-place.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { nodeFileFor, usualPlaces } from './node-layout.ts';
import { wholeNumber } from './option-values.ts';
import type { PassphraseOptions } from './passphrase.ts';

interface FirstOptions extends CommonOptions, PassphraseOptions, PlaceOptions {
  readonly node?: string;
  readonly nodeFile: string;
  readonly state: string;
  readonly run: string;
  readonly log: string;
  readonly data?: string;
  readonly user: string;
}

const help = `
Example:
  understudy ca first-node cluster.yaml --node db1

Run it on that node, with the authority's directory at hand, which is not needed there afterwards: take it away. Every further node
enrols by a token: understudy node token.
`;

export function declareFirstNode(ca: Command, perform: Perform): void {
  ca.command('first-node')
    .summary('makes this machine the first database node of a new cluster')
    .description(
      'Makes keys and certificates of the first database node here, seals the issuing key to it, and writes its node file, and the certificate of a first operator, beside it.',
    )
    .argument('<file>', 'the cluster file')
    .option('--node <name>', 'which database node; the first one that is declared')
    .option(
      '--in <directory>',
      `where the authority is kept; ${usualAuthorityDirectory}, or that of this directory's stage`,
    )
    .addOption(new Option('--passphrase-file <file>', 'read the passphrase from a file').conflicts('passphraseFd'))
    .option('--passphrase-fd <number>', 'read the passphrase from this file descriptor', wholeNumber)
    .option('--node-file <file>', 'the node file; context.json of the operator lies beside it', usualPlaces.nodeFile)
    .option('--state <directory>', 'what the agent keeps, keys among it', usualPlaces.state)
    .option('--run <directory>', 'sockets; a short path', usualPlaces.run)
    .option('--log <directory>', 'logs', usualPlaces.log)
    .option('--data <directory>', "PostgreSQL's data directory, if the declaration names none; in the state directory")
    .option('--user <name>', 'as whom the agent runs, when root does this', 'postgres')
    .option('--json', 'print what was made as JSON')
    .addHelpText('after', help)
    .action((file: string, _, command: Command) => {
      const options = command.optsWithGlobals<FirstOptions>();
      return perform(options, (call) => first(call, file, options));
    });
}

async function first(call: Call, clusterFile: string, options: FirstOptions): Promise<number> {
  const { readClusterFile } = await import('./cluster-file.ts');
  const { spec } = readClusterFile(call, clusterFile);
  const node = chosen(spec, options.node);
  const { openIssuing, sealToItself, signFor } = await import('../pki/first-node.ts');
  const { placeFounder, placeLists } = await import('../pki/founding.ts');
  const premises = await import('./node-premises.ts');
  const { leafFiles } = await import('../pki/leaf-files.ts');
  const directory = await authorityPlace(call, options);
  const authority = openIssuing(directory, spec.cluster, await rootPassphrase(call, directory, options));
  const from = (path: string): string => resolve(path.startsWith('/') ? '/' : call.io.cwd, path);
  const nodeFile = from(options.nodeFile);
  const file = fileOf(spec, node, options, from);
  const owner = await premises.ownerFor(options.user);
  await premises.preparePremises(file, owner);
  await premises.placeAuthority(file, authority.rootsPem, owner);
  const files = leafFiles(premises.placesOf(file), { owner });
  const nowMs = Date.now();
  const wishes = files.purposes.map((purpose) => files.wish(purpose));
  await files.put(await signFor(authority, spec, node, wishes, nowMs));
  await premises.placeStorePassword(file, owner);
  await sealToItself(authority, file, owner, nowMs);
  await placeLists(directory, file, owner);
  const operator = await makeOperator(authority, spec, nowMs);
  await placeFounder(file, operator, owner);
  const context = await writeOperator(operator, spec, dirname(nodeFile));
  await premises.placeNodeFile(nodeFile, file);
  const { cluster } = spec;
  if (call.terminal.json) call.terminal.printJson({ cluster, node: node.name, nodeFile, context, store: file.store });
  else
    call.terminal.print(
      `${node.name} can be the first database node of ${cluster}: ${nodeFile}`,
      `The first operator's context: ${context}`,
      `Next: the store, with ${file.store?.server?.key ?? 'its own certificate'}, and in it the user ${file.store?.user} with the password in ${file.store?.passwordFile}`,
      'then: systemctl enable --now understudy-agent',
      `then: understudy apply ${clusterFile}`,
      `last: take ${directory} away from here; root.key is needed once a year`,
    );
  return exitCodes.done;
}

/** Throws NOT_FOUND, REFUSED. */
function chosen(spec: Spec, name: string | undefined): NodeSpec {
  const [usual] = nodesOfRole(spec, 'database');
  const node = name === undefined ? usual : findNode(spec, name);
  if (node === undefined) throw new UnderstudyError('NOT_FOUND', `the cluster file names no node ${name ?? ''}`);
  if (node.role === 'database') return node;
  throw new UnderstudyError('REFUSED', `${node.name} is declared as ${node.role}: the first node is a database node`);
}

function fileOf(
  spec: Spec,
  { address, name, role }: NodeSpec,
  options: FirstOptions,
  from: (path: string) => string,
): NodeFile {
  const { cluster, domain, store } = spec;
  const { data, log, nodeFile, run, state } = options;
  const hosts = store.endpoints.map((endpoint) => new URL(endpoint).hostname.replace(/^\[|\]$/g, ''));
  return nodeFileFor(
    {
      ...{ cluster, domain, node: name, role, address, apiPort: defaultApiPort },
      ...{ databaseAgents: [], storeEndpoints: store.endpoints, storeCaFile: store.caFile },
      hasMember: [address, name, `${name}.${domain}`].some((host) => hosts.includes(host)),
      dataDirectory: spec.postgres.dataDirectory,
    },
    {
      ...{ ...usualPlaces, nodeFile: from(nodeFile), state: from(state), run: from(run), log: from(log) },
      data: data === undefined ? null : from(data),
    },
  );
}

/** Nobody is an operator yet who could have one certified. */
async function makeOperator(authority: Authority, { cluster }: Spec, nowMs: number): Promise<Credentials> {
  const { issue } = await import('../pki/issue.ts');
  const name = process.env.SUDO_USER ?? process.env.USER ?? 'operator';
  return await issue(authority, { kind: 'operator', cluster, name, lifeMs: personForMs, nowMs });
}

async function writeOperator(credentials: Credentials, spec: Spec, directory: string): Promise<string> {
  const { replaceFile, writeCombined } = await import('../pki/credential-files.ts');
  const { cluster, domain, nodes } = spec;
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  await writeCombined(directory, 'operator', credentials);
  const agents = nodes.map(({ address, name: node, role }) => ({ node, role, address, port: defaultApiPort }));
  const tls = { ca: 'ca.crt', certificate: 'operator.pem', key: 'operator.pem' };
  const file = join(directory, 'context.json');
  await replaceFile(file, `${JSON.stringify({ cluster, domain, agents, tls }, null, 2)}\n`, 0o600, null);
  return file;
}
