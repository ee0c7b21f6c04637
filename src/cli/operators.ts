/** `understudy operator`: certificates for people, who may look, or order. */
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { personForAtMostMs, personForMs } from '../core/enrolment.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { judgeCertificates, type ListedCertificate } from './certificates-text.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { countFrom } from './option-values.ts';
import { ageText, columns } from './words.ts';

interface AddOptions extends CommonOptions {
  readonly role: 'operator' | 'viewer';
  readonly days: number;
  readonly out?: string;
}

const dayMs = 24 * 60 * 60_000;
const orderWithinMs = 30_000;

const addHelp = `
Examples:
  understudy operator add ernest                     into ./ernest, good for ${personForMs / dayMs} days
  understudy operator add grafana --role viewer --days 365 --out /etc/grafana/understudy
  understudy --context ernest/context.json status

Do it again into the same directory before it ends: nothing renews a person's certificate by itself.
`;

export function declareOperator(program: Command, perform: Perform): void {
  const operator = program
    .command('operator')
    .summary('certificates for people')
    .description('Who may look at the cluster, and who may order.');
  operator
    .command('add')
    .summary('makes a key here and has it certified')
    .description(
      'Makes a key, has the cluster certify it, and writes both, with what the command line needs to reach the cluster, into a directory.',
    )
    .argument('<name>', 'whose it is; stands in logs and receipts')
    .addOption(
      new Option('--role <role>', 'an operator may order, a viewer look')
        .choices(['operator', 'viewer'])
        .default('operator'),
    )
    .option(
      '--days <count>',
      `how long it is good, up to ${personForAtMostMs / dayMs}`,
      countFrom(1, personForAtMostMs / dayMs),
      personForMs / dayMs,
    )
    .option('--out <directory>', 'where to write; a directory of that name here if left out')
    .option('--json', 'print what was written as JSON')
    .addHelpText('after', addHelp)
    .action((name: string, _, command: Command) => {
      const options = command.optsWithGlobals<AddOptions>();
      return perform(options, (call) => add(call, name, options));
    });
  operator
    .command('list')
    .summary('who has one, and until when')
    .description('Lists the certificates of people that the cluster remembers and that have not expired.')
    .option('--json', 'print them as a JSON array')
    .addHelpText('after', '\nExample:\n  understudy operator list\n')
    .action((_, command: Command) => perform(command.optsWithGlobals<CommonOptions>(), list));
}

async function add(call: Call, name: string, { days, out, role }: AddOptions): Promise<number> {
  const { createSigningRequest } = await import('../pki/signing-request.ts');
  const { replaceFile, writeCombined } = await import('../pki/credential-files.ts');
  if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,49}$/.test(name)) {
    throw new UnderstudyError('REQUEST_INVALID', `${JSON.stringify(name)} can't be a person's name here`, {
      hint: 'letters, digits, and . _ @ - between them; 50 at most',
    });
  }
  const context = await call.context();
  const access = await call.cluster();
  const directory = resolve(call.io.cwd, out ?? name);
  if (existsSync(join(directory, 'context.json')) && !existsSync(join(directory, `${name}.pem`)))
    throw new UnderstudyError('REFUSED', `${directory} has the context of somebody else`);
  const former = (await peopleOf(access)).filter(
    (one) => one.state === 'good' && one.kind === role && one.name === name,
  );
  const { keyPem, requestPem } = createSigningRequest();
  const request = { role, name, lifeMs: days * dayMs, request: requestPem };
  const { caPem, chain } = await access.order((client, asking) => client.certifyPerson(request, asking), orderWithinMs);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  await writeCombined(directory, name, { certificatePem: chain, keyPem, caPem });
  const { agents, cluster, domain } = context;
  const tls = { ca: 'ca.crt', certificate: `${name}.pem`, key: `${name}.pem` };
  const file = join(directory, 'context.json');
  await replaceFile(file, `${JSON.stringify({ cluster, domain, agents, tls }, null, 2)}\n`, 0o600, null);
  if (call.terminal.json)
    call.terminal.printJson({ name, role, days, directory, context: file, former: former.map(({ serial }) => serial) });
  else
    call.terminal.print(
      `${name} is ${role === 'operator' ? 'an operator' : 'a viewer'} of ${cluster} for ${days} days.`,
      `Key and certificate: ${join(directory, `${name}.pem`)}; use it with --context ${file}`,
      ...former.map(({ expiresAt, serial }) => {
        const until = `good for ${ageText(Date.parse(expiresAt) - Date.now())} more`;
        return `${name} had one before, ${until}, unless it is taken back: understudy certificates revoke ${serial}`;
      }),
    );
  return exitCodes.done;
}

/** The certificates of people that have not expired. */
async function peopleOf(access: ClusterAccess): Promise<readonly ListedCertificate[]> {
  const records = await access.ask((client, asking) => client.certificates(asking));
  return judgeCertificates({ records, registered: [], declared: null }, Date.now()).filter(
    ({ kind, state }) => (kind === 'operator' || kind === 'viewer') && state !== 'expired',
  );
}

async function list(call: Call): Promise<number> {
  const { terminal } = call;
  const people = await peopleOf(await call.cluster());
  const nowMs = Date.now();
  if (terminal.json) terminal.printJson(people);
  else if (people.length === 0) terminal.print('No certificate of a person is remembered.');
  else
    terminal.print(
      ...columns([
        ['ROLE', 'NAME', 'GOOD FOR', 'ORDERED BY', 'SERIAL'],
        ...people.map(({ expiresAt, kind, name, requestedBy, serial, state }) => {
          const left = ageText(Date.parse(expiresAt) - nowMs);
          return [kind, name, state === 'revoked' ? 'revoked' : left, requestedBy, serial];
        }),
      ]),
    );
  return exitCodes.done;
}
