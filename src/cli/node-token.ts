/** `understudy node token`: invites a machine to become a node that is declared. */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { TokenAnswer } from '../api/contract/enrolment.ts';
import { defaultApiPort, enrolmentPort } from '../config/node-file.ts';
import { tokenForAtLeastMs, tokenForAtMostMs, tokenForMs } from '../core/enrolment.ts';
import type { NodeRole } from '../core/spec.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { collect, duration, nodeName } from './option-values.ts';
import { ageText } from './words.ts';

interface TokenOptions extends CommonOptions {
  readonly role?: NodeRole;
  readonly for: number;
  readonly from?: readonly string[];
}

const orderWithinMs = 10_000;

const examples = `
Examples:
  understudy node token app2                              as it is declared, good for an hour
  understudy node token db3 --role database --for 10min
  understudy node token app2 | ssh app2 understudy enrol --token-file -

The token is a secret: whoever has it can become that node. It is printed once; the cluster keeps a digest alone. A second one
for the same node takes the place of the first.
`;

export function declareNode(program: Command, perform: Perform): void {
  const node = program.command('node').summary('invites new nodes').description('Invites machines to become nodes.');
  node
    .command('token')
    .summary('prints a token by which a machine becomes that node')
    .description(
      'Orders a token, good once, for one node that is declared; `understudy enrol` on the new machine takes it. It carries what that machine needs to be sure of the cluster.',
    )
    .argument('<node>', 'which one', nodeName)
    .addOption(new Option('--role <role>', 'as which it must be declared').choices(['database', 'app', 'witness']))
    .option('--for <duration>', 'how long it is good, such as 10min or 4h', tokenLife, tokenForMs)
    .option(
      '--from <host[:port]>',
      'where the new machine reaches a database node, if not as declared; may be repeated',
      collect,
    )
    .option('--json', 'print it as JSON, with its end')
    .addHelpText('after', examples)
    .action((name: string, _, command: Command) => {
      const options = command.optsWithGlobals<TokenOptions>();
      return perform(options, (call) => order(call, name, options));
    });
}

function tokenLife(value: string): number {
  const ms = duration(value);
  if (ms < tokenForAtLeastMs) throw new InvalidArgumentError('At least a minute is needed to carry it there: 1min.');
  if (ms > tokenForAtMostMs) throw new InvalidArgumentError('At most seven days are possible: 168h.');
  return ms;
}

async function order(call: Call, node: string, options: TokenOptions): Promise<number> {
  const { fingerprintsOf, newSecret, secretDigest, tokenText } = await import('../pki/enrolment-token.ts');
  const { terminal } = call;
  const { cluster, domain, tls } = await call.context();
  const access = await call.cluster();
  const secret = newSecret();
  const digest = secretDigest(cluster, node, secret);
  const request = { node, role: options.role ?? null, forMs: options.for, digest };
  const answer = await access.order((client, asking) => client.orderToken(request, asking), orderWithinMs);
  const { expiresAt, role } = answer;
  const addresses = addressesFor(answer, options.from ?? []);
  const roots = fingerprintsOf(readFileSync(tls.ca, 'utf8'));
  const token = tokenText({ cluster, domain, node, role, roots, addresses, secret });
  if (terminal.json) terminal.printJson({ token, node, role, expiresAt, addresses, roots });
  else {
    terminal.print(token);
    terminal.note(
      `${node} may enrol as ${role} by it, once, for ${ageText(options.for)}: understudy enrol, on that machine`,
    );
  }
  return exitCodes.done;
}

/** Throws REFUSED when the only database node is to enrol: there is nobody to ask. */
function addressesFor({ addresses, node }: TokenAnswer, from: readonly string[]): readonly string[] {
  if (from.length > 0) {
    const port = addresses[0]?.split(':').at(-1) ?? String(enrolmentPort({ port: defaultApiPort }));
    return from.map((place) => (/^(?:[^:]+|\[[^\]]+\]):\d+$/.test(place) ? place : `${bracketed(place)}:${port}`));
  }
  if (addresses.length > 0) return addresses;
  throw new UnderstudyError('REFUSED', `${node} is the only database node: there is nobody who could take it in`, {
    hint: 'understudy ca first-node, where the authority is',
  });
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
