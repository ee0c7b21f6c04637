/**
 * `understudy credentials`: by which poolers log in at the servers, and applications at their poolers; `credentials rotate`
 * replaces the one or the other.
 */
import type { Command } from 'commander';
import type { CredentialListing, RotationAnswer, RotationRequest } from '../api/contract/databases.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { duration } from './option-values.ts';
import { ageText, columns, countText } from './words.ts';

interface RotateOptions extends CommonOptions {
  readonly node?: string;
  readonly clients: boolean;
  readonly force: boolean;
  readonly wait: number;
}

const orderWithinMs = 10_000;
const pollMs = 250;

export function declareCredentials(program: Command, perform: Perform): void {
  const credentials = program
    .command('credentials')
    .summary('by which poolers log in at the servers, and applications at their poolers')
    .description(
      'Lists the credentials of applications: one for each of their nodes, made by the cluster and known to that node alone; and which password of its own each application has at the pooler there.',
    )
    .option('--json', 'print them as a JSON array')
    .addHelpText('after', '\nExample:\n  understudy credentials\n')
    .action((_, command: Command) => perform(command.optsWithGlobals<CommonOptions>(), list));
  credentials
    .command('rotate')
    .summary('replace them')
    .description('Has other passwords made, and the old ones closed when no connection uses them any more.')
    .argument('[application]', 'of this application; of all if left out')
    .option('--node <node>', 'on this node only')
    .option('--clients', 'instead of these, the passwords by which applications log in at their poolers', false)
    .option('--force', 'with --clients: also where clients are connected by the password that this ends', false)
    .option('--wait <duration>', 'until the poolers use the new ones, such as 60s; 0: not at all', duration, 60_000)
    .option('--json', 'print it as JSON')
    .addHelpText('after', rotateHelp)
    .action((application: string | undefined, _, command: Command) => {
      const options = command.optsWithGlobals<RotateOptions>();
      if (options.force && !options.clients)
        throw new UnderstudyError('REQUEST_INVALID', '--force goes with --clients');
      return perform(options, (call) => rotate(call, application ?? null, options));
    });
}

const rotateHelp = `
Examples:
  understudy credentials rotate                     every application, on every node
  understudy credentials rotate shop --node app1
  understudy credentials rotate shop --clients      what the application itself logs in with

No transaction fails: each application has two logins per node, and the one that rests gets the new password. A connection
that is in a transaction keeps the old login open until it ends. Exit code 1: not all were done within --wait; it goes on.

With --clients the files of the application get another user and password. Those before stay good until the next time, so that
an application may go on until it reads its files again; who is connected by them then keeps the next time from happening
(exit code 3). Two rotations end every password that was known before.
`;

async function list(call: Call): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  const listed = await access.ask((client, asking) => client.credentials(asking));
  if (terminal.json) terminal.printJson(listed);
  else if (listed.length === 0) terminal.print('No application is declared to run on any node.');
  else
    terminal.print(...columns([['APPLICATION', 'NODE', 'CREDENTIAL', 'AGE', 'STATE', 'CLIENTS'], ...listed.map(row)]));
  return exitCodes.done;
}

function row(one: CredentialListing): readonly string[] {
  const { application, node, generation, issuedAt } = one;
  const age = issuedAt === null ? '-' : ageText(Date.now() - Date.parse(issuedAt));
  return [application, node, generation === null ? '-' : String(generation), age, stateOf(one), clientsOf(one)];
}

/** What the application itself logs in with. */
function clientsOf({ clientPassword }: CredentialListing): string {
  if (clientPassword === null) return '-';
  const { wanted, inUse } = clientPassword;
  if (inUse === null) return 'not yet reported';
  if (inUse.told < wanted) return `password ${inUse.told}, ${wanted} is being made`;
  return `password ${inUse.told}${inUse.former === 0 ? '' : `; ${inUse.former} by the one before`}`;
}

function stateOf({ generation, wanted, inUse, isSealable }: CredentialListing): string {
  if (generation === null)
    return isSealable ? 'is being made' : 'waits: the node has not published its sealing certificate';
  if (inUse === 0) return 'the pooler takes it up';
  if (inUse !== null && inUse < generation) return `the pooler goes over to it from ${inUse}`;
  if (wanted !== null && wanted > generation) return 'another one was ordered';
  return inUse === null ? 'not yet reported by the pooler' : 'in use';
}

async function rotate(call: Call, application: string | null, options: RotateOptions): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  const what = options.clients ? ('client-password' as const) : ('login' as const);
  const request = { application, node: options.node ?? null, what, force: options.force };
  const { ordered } = await access.order((client, asking) => client.rotateCredentials(request, asking), orderWithinMs);
  const untilMs = performance.now() + options.wait;
  const owed = options.wait === 0 ? ordered : await untilDone(call, access, what, ordered, untilMs);
  if (terminal.json) terminal.printJson({ ordered, owed });
  else {
    const all = countText(ordered.length, options.clients ? 'password' : 'credential');
    terminal.print(owed.length === 0 ? `${all} rotated` : `${all} ordered, ${owed.length} not yet in use:`);
    terminal.print(...columns(owed.map(({ application: name, node }) => [name, node])));
  }
  if (options.wait === 0 || owed.length === 0) return exitCodes.done;
  throw new UnderstudyError('TIMEOUT', `not all were rotated within ${ageText(options.wait)}; it goes on`, {
    hint: 'understudy credentials, understudy status',
  });
}

/** Answers those that are still owed. */
async function untilDone(
  call: Call,
  access: ClusterAccess,
  what: RotationRequest['what'],
  ordered: RotationAnswer['ordered'],
  untilMs: number,
): Promise<RotationAnswer['ordered']> {
  for (;;) {
    const listed = await access.ask((client, asking) => client.credentials(asking));
    const owed = ordered.filter(({ application, node, generation }) => {
      const found = listed.find((one) => one.application === application && one.node === node);
      if (found === undefined) return false;
      const inUse = what === 'login' ? found.inUse : found.clientPassword?.inUse?.told;
      return (inUse ?? 0) < generation;
    });
    if (owed.length === 0 || performance.now() >= untilMs) return owed;
    await call.sleep(pollMs);
  }
}
