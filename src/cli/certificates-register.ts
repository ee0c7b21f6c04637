/** `understudy certificates register` and `forget`: certificates of others, whose end is to be told. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';

interface RegisterOptions extends CommonOptions {
  readonly name?: string;
  readonly where?: string;
}

const orderWithinMs = 10_000;
const registerHelp = `
Examples:
  understudy certificates register /etc/letsencrypt/live/shop/fullchain.pem --where 'balancer lb1, certbot'
  understudy certificates register partner.pem --name partner-api

Only the first certificate of the file is sent: no key, and no chain. Register the new one under the same name when it was
renewed. status, doctor and certificates warn 21 days before its end, or when a quarter of its life is left.
`;

export function declareRegistration(certificates: Command, perform: Perform): void {
  certificates
    .command('register')
    .summary('has the end of a certificate told that others issued')
    .description('Remembers a certificate that the cluster did not issue, so that its end is told in time.')
    .argument('<file>', 'the certificate in PEM, or a chain that begins with it')
    .option('--name <name>', 'what to call it; its first host name if left out')
    .option('--where <text>', 'where it is used and who renews it, in one line')
    .option('--json', 'print what was remembered as JSON')
    .addHelpText('after', registerHelp)
    .action((file: string, _, command: Command) => {
      const options = command.optsWithGlobals<RegisterOptions>();
      return perform(options, (call) => register(call, file, options));
    });
  certificates
    .command('forget')
    .summary('forgets a registered certificate')
    .description(
      'Forgets a certificate that was registered. Those that the cluster issued are forgotten 30 days after their end.',
    )
    .argument('<name>', 'as certificates lists it')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  understudy certificates forget partner-api\n')
    .action((name: string, _, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>();
      return perform(options, (call) => forget(call, name));
    });
}

async function register(call: Call, file: string, { name, where }: RegisterOptions): Promise<number> {
  const { terminal } = call;
  const certificatePem = await firstCertificate(resolve(call.io.cwd, file));
  const access = await call.cluster();
  const told = await access.order(
    (client, asking) =>
      client.registerCertificate({ certificatePem, name: name ?? null, where: where ?? null }, asking),
    orderWithinMs,
  );
  if (terminal.json) terminal.printJson(told);
  else
    terminal.print(`${told.name} is registered: it ends at ${told.expiresAt.slice(0, 10)}, issued by ${told.issuer}.`);
  return exitCodes.done;
}

async function forget(call: Call, name: string): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  const { because } = await access.order((client, asking) => client.forgetCertificate({ name }, asking), orderWithinMs);
  if (terminal.json) terminal.printJson({ name, because });
  else terminal.print(`${because}.`);
  return exitCodes.done;
}

/** A file may hold the key, too, which goes nowhere. */
async function firstCertificate(path: string): Promise<string> {
  const { readCertificates } = await import('../pki/trust.ts');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UnderstudyError('CONFIG_UNREADABLE', `${path} can't be read: ${describeError(cause)}`, { cause });
  }
  const [first] = readCertificates(text) ?? [];
  if (first !== undefined) return first.toString();
  throw new UnderstudyError('REQUEST_INVALID', `${path} holds no certificate in PEM`, {
    hint: 'name the file that begins with the certificate: -----BEGIN CERTIFICATE-----',
  });
}
