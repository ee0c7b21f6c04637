/** `understudy certificates`: what the cluster's authority has issued, to whom, and what is late. */
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { certificateLines, judgeCertificates } from './certificates-text.ts';

interface CertificatesOptions extends CommonOptions {
  readonly all?: boolean;
}

const examples = `
Examples:
  understudy certificates
  understudy certificates --all --json
`;

export function declareCertificates(program: Command, perform: Perform): void {
  program
    .command('certificates')
    .summary('issue and expiry of every certificate, and what is late')
    .description(
      'Lists the certificates that the cluster remembers: whose they are, where their keys lie, who asked for them, when they were issued and when they expire. Expired ones are forgotten after 30 days.',
    )
    .option('--all', 'also those that a newer one of the same holder has replaced')
    .option('--json', 'print them as a JSON array')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<CertificatesOptions>();
      return perform(options, (call) => list(call, options.all === true));
    });
}

async function list(call: Call, isWhole: boolean): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  const records = await access.ask((client, asking) => client.certificates(asking));
  const nowMs = Date.now();
  const listed = judgeCertificates(records, nowMs);
  if (terminal.json) terminal.printJson(isWhole ? listed : listed.filter(({ state }) => state !== 'replaced'));
  else terminal.print(...certificateLines(listed, nowMs, isWhole));
  return exitCodes.done;
}
