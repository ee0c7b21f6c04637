/** `understudy enrol`: makes this machine a node of a cluster, by a token that an operator has ordered. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { EnrolmentGrant } from '../api/contract/enrolment.ts';
import type { NodeFile } from '../config/node-file.ts';
import type { CertificatePurpose } from '../core/certificates.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { TokenContent } from '../pki/enrolment-token.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { type NodePlaces, nodeFileFor, usualPlaces } from './node-layout.ts';
import { secretFrom } from './secret-input.ts';

interface EnrolOptions extends CommonOptions {
  readonly tokenFile?: string;
  readonly nodeFile: string;
  readonly state: string;
  readonly run: string;
  readonly log: string;
  readonly apps: string;
  readonly data?: string;
  readonly poolerAddress: string;
  readonly user: string;
}

const examples = `
Examples:
  understudy enrol                            asks for the token
  understudy enrol --token-file - < token     takes it from standard input

Before that, an operator: understudy node token NODE. If this is interrupted, order another token and do it again. A node
whose certificate expired more than 30 days ago comes back in the same way, with the files that it has.
`;

export function declareEnrol(program: Command, perform: Perform): void {
  program
    .command('enrol')
    .summary('makes this machine a node of a cluster, by a token')
    .description(
      'Makes the keys of this node here, verifies the cluster by the fingerprint in the token, and has its certificates signed. Writes them, and a node file if there is none, for the agent to be started with.',
    )
    .option('--token-file <file>', 'read the token from this file; - is standard input')
    .option('--node-file <file>', 'the node file; written if there is none', usualPlaces.nodeFile)
    .option('--state <directory>', 'what the agent keeps, keys among it', usualPlaces.state)
    .option('--run <directory>', 'sockets; a short path', usualPlaces.run)
    .option('--log <directory>', 'logs', usualPlaces.log)
    .option('--apps <directory>', 'files for applications, on an app node', usualPlaces.apps)
    .option('--data <directory>', "PostgreSQL's data directory, if the declaration names none; in the state directory")
    .option('--pooler-address <address>', 'where the pooler of an app node listens', usualPlaces.pooler)
    .option('--user <name>', 'as whom the agent runs, when root enrols', 'postgres')
    .option('--json', 'print what was done as JSON')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<EnrolOptions>();
      return perform(options, (call) => enrol(call, options));
    });
}

async function enrol(call: Call, options: EnrolOptions): Promise<number> {
  const { readToken } = await import('../pki/enrolment-token.ts');
  const token = readToken(await secretFrom(call, { file: options.tokenFile, option: '--token-file', what: 'token' }));
  const at = placesIn(call, options);
  const there = await presentNodeFile(at.nodeFile, token);
  const premises = await import('./node-premises.ts');
  const { leafFiles } = await import('../pki/leaf-files.ts');
  const { askToEnrol } = await import('./enrolment-client.ts');
  const owner = await premises.ownerFor(options.user);
  const draft = there ?? nodeFileFor({ ...token, ...undecided }, at);
  await premises.preparePremises(draft, owner);
  const files = leafFiles(premises.placesOf(draft), { owner });
  const grant = await askToEnrol(
    token,
    files.purposes.map((purpose) => files.wish(purpose)),
    call.signal,
  );
  const file = there ?? nodeFileFor({ ...token, ...grant, hasMember: has(grant, 'store-server') }, at);
  await requireOurs(token, file, grant);
  await premises.placeAuthority(file, grant.caPem, owner);
  await files.put(grant.issued);
  const isPasswordNew = await premises.placeStorePassword(file, owner);
  if (there === null) await premises.placeNodeFile(at.nodeFile, file);
  const steps = nextSteps(file, at.nodeFile, { isPasswordNew, isBack: there !== null });
  const { cluster, node, role } = file;
  const received = grant.issued.map(({ purpose }) => purpose);
  if (call.terminal.json)
    call.terminal.printJson({ cluster, node, role, nodeFile: at.nodeFile, received, next: steps });
  else
    call.terminal.print(
      `${node} is ${role === 'app' ? 'an' : 'a'} ${role} node of ${cluster}: its certificates are in place.`,
      ...steps.map((step, index) => `${index === 0 ? 'Next: ' : 'then: '}${step}`),
    );
  return exitCodes.done;
}

/** What only the answer says. */
const undecided = {
  ...{ address: '127.0.0.1', apiPort: 0, databaseAgents: [], storeEndpoints: [] },
  ...{ hasMember: true, storeCaFile: null, dataDirectory: null },
};

function placesIn({ io }: Call, options: EnrolOptions): NodePlaces {
  const from = (path: string): string => resolve(path.startsWith('/') ? '/' : io.cwd, path);
  const { apps, data, log, nodeFile, poolerAddress, run, state } = options;
  return {
    ...{ nodeFile: from(nodeFile), state: from(state), run: from(run), log: from(log), apps: from(apps) },
    ...{ data: data === undefined ? null : from(data), pooler: poolerAddress },
  };
}

/** `null`: there is none. Throws REFUSED when it is another node's. */
async function presentNodeFile(path: string, token: TokenContent): Promise<NodeFile | null> {
  if (!existsSync(path)) return null;
  const { loadNodeFile } = await import('../config/load-node-file.ts');
  const file = loadNodeFile(path);
  const differs = (['cluster', 'domain', 'node', 'role'] as const).find((key) => file[key] !== token[key]);
  if (differs === undefined) return file;
  const message = `${path} is of ${differs} ${file[differs]}, and the token is for ${differs} ${token[differs]}`;
  throw new UnderstudyError('REFUSED', message, { hint: 'order a token for this node, or name another --node-file' });
}

function has({ issued }: EnrolmentGrant, purpose: CertificatePurpose): boolean {
  return issued.some((one) => one.purpose === purpose);
}

/** Throws ANSWER_INVALID when not all came that this node needs, or what came is not its own. */
async function requireOurs(token: TokenContent, { store, tls }: NodeFile, grant: EnrolmentGrant): Promise<void> {
  const { judgeChain } = await import('../pki/trust.ts');
  const needed: readonly CertificatePurpose[] = [
    'node',
    ...(tls.sealing === undefined ? [] : (['sealing'] as const)),
    ...(store === null ? [] : (['store-client'] as const)),
  ];
  const missing = needed.find((purpose) => !has(grant, purpose));
  if (missing !== undefined)
    throw new UnderstudyError('ANSWER_INVALID', `no certificate came for ${missing}: nothing was written`);
  const trust = { cluster: token.cluster, rootsPem: grant.caPem };
  for (const { chain, purpose } of grant.issued) {
    const reading = judgeChain(chain, trust, Date.now());
    const because = reading.trusted ? null : reading.because;
    if (reading.trusted && reading.holder.name === token.node) continue;
    const text = because ?? `it is not for ${token.node}`;
    throw new UnderstudyError('ANSWER_INVALID', `the certificate for ${purpose}: ${text}; nothing was written`);
  }
}

function nextSteps(
  { cluster, store }: NodeFile,
  nodeFile: string,
  { isBack, isPasswordNew }: { readonly isBack: boolean; readonly isPasswordNew: boolean },
): readonly string[] {
  const unit = nodeFile === usualPlaces.nodeFile;
  const start = isBack ? 'systemctl restart understudy-agent' : 'systemctl enable --now understudy-agent';
  const agent = unit ? start : `understudy agent --config ${nodeFile}`;
  if (store === null || !isPasswordNew) return [agent];
  const { passwordFile, user } = store;
  return [
    `as root of the store: etcdctl user add ${user} --interactive=false < ${passwordFile}`,
    `etcdctl user grant-role ${user} understudy-${cluster}`,
    agent,
  ];
}
