/** `understudy certificates`: what the cluster's authority has issued, to whom, and what is late; `revoke` takes it back. */
import type { Command } from 'commander';
import type { Spec } from '../core/spec.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { declareRegistration } from './certificates-register.ts';
import { declareRevocation } from './certificates-revoke.ts';
import { certificateLines, judgeCertificates } from './certificates-text.ts';
import type { ClusterAccess } from './cluster-access.ts';

interface CertificatesOptions extends CommonOptions {
  readonly all?: boolean;
}

const examples = `
Examples:
  understudy certificates
  understudy certificates --all --json
`;

export function declareCertificates(program: Command, perform: Perform): void {
  const certificates = program
    .command('certificates')
    .summary('issue and expiry of every certificate, and what is late')
    .description(
      'Lists the certificates that the cluster remembers: whose they are, where their keys lie, who asked for them, when they were issued and when they expire; and those of others that were registered. Expired ones are forgotten after 30 days.',
    )
    .option('--all', 'also those that a newer one of the same holder has replaced')
    .option('--json', 'print them as a JSON array')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<CertificatesOptions>();
      return perform(options, (call) => list(call, options.all === true));
    });
  declareRegistration(certificates, perform);
  declareRevocation(certificates, perform);
}

async function list(call: Call, isWhole: boolean): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  const [records, registered, declared] = await Promise.all([
    access.ask((client, asking) => client.certificates(asking)),
    access.ask((client, asking) => client.registered(asking)),
    declaredIn(access),
  ]);
  const nowMs = Date.now();
  const listed = judgeCertificates({ records, registered, declared }, nowMs);
  if (terminal.json) terminal.printJson(isWhole ? listed : listed.filter(({ state }) => state !== 'replaced'));
  else terminal.print(...certificateLines(listed, nowMs, isWhole));
  return exitCodes.done;
}

/** `null`: nothing is declared yet. */
async function declaredIn(access: ClusterAccess): Promise<Spec | null> {
  try {
    return (await access.ask((client, asking) => client.spec(asking))).spec;
  } catch (error) {
    if (isUnderstudyError(error, 'NOT_FOUND')) return null;
    throw error;
  }
}
