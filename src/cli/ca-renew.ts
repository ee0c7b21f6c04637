/** `understudy ca renew`: has the root sign a new issuing authority, and the cluster take it over. */
import { type Command, Option } from 'commander';
import type { AuthorityRenewalAnswer } from '../api/contract/certificates.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { RefusedRecipient } from '../pki/authority-renewal.ts';
import { authorityPlace, type PlaceOptions, rootPassphrase, usualAuthorityDirectory } from './authority-place.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { wholeNumber } from './option-values.ts';
import type { PassphraseOptions } from './passphrase.ts';

interface RenewOptions extends CommonOptions, PassphraseOptions, PlaceOptions {}

/** The agent opens what it is brought, in a process of its own. */
const orderWithinMs = 50_000;
const dayMs = 24 * 60 * 60_000;
/** A year, and a month to do it in. */
export const issuingLifeMs = 395 * dayMs;

const help = `
Examples:
  understudy ca renew
  understudy ca renew --in ca --passphrase-file /run/ca-passphrase

Certificates that were issued before stay good until they end; those that are issued from now on come with the new authority.
It may be repeated at any time: the last one counts.
`;

export function declareCaRenew(ca: Command, perform: Perform): void {
  ca.command('renew')
    .summary('replaces the issuing authority, once a year')
    .description(
      "Signs a new issuing authority with the root's key, seals it to every database node, and has the cluster sign with it from now on.",
    )
    .option(
      '--in <directory>',
      `where the authority is kept; ${usualAuthorityDirectory}, or that of this directory's stage`,
    )
    .addOption(new Option('--passphrase-file <file>', 'read the passphrase from a file').conflicts('passphraseFd'))
    .option('--passphrase-fd <number>', 'read the passphrase from this file descriptor', wholeNumber)
    .option('--json', 'print what became of it as JSON')
    .addHelpText('after', help)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<RenewOptions>();
      return perform(options, (call) => renew(call, options));
    });
}

async function renew(call: Call, options: RenewOptions): Promise<number> {
  const { keepIssuing, newIssuing, openRoot, sealToNodes } = await import('../pki/authority-renewal.ts');
  const directory = await authorityPlace(call, options);
  const { isRollingOver } = await import('../pki/rollover-files.ts');
  if (isRollingOver(directory)) {
    throw new UnderstudyError('REFUSED', 'a rollover is under way: it brings an issuing authority of its own', {
      hint: 'understudy ca rollover --finish ends it',
    });
  }
  const passphrase = await rootPassphrase(call, directory, options);
  const root = openRoot(directory, passphrase);
  const access = await call.cluster();
  const { sealing } = await access.ask((client, asking) => client.authority(asking));
  const about = { cluster: access.cluster, nowMs: Date.now() };
  const issuing = await newIssuing(root, { ...about, lifeMs: issuingLifeMs });
  const { refused, sealed } = await sealToNodes(issuing, sealing, { ...about, rootsPem: root.certificatePem });
  if (sealed.length === 0) {
    throw new UnderstudyError('REFUSED', `no database node can be sealed to: ${refusals(refused)}`, {
      hint: 'its sealing certificate must rest on this root: understudy doctor',
    });
  }
  const answer = await access.order((client, asking) => client.renewAuthority({ sealed }, asking), orderWithinMs);
  // The cluster has it: what can't be written here is told after that.
  await keepIssuing(directory, issuing, passphrase);
  print(call, { ...answer, directory, refused });
  return exitCodes.done;
}

function print(
  { terminal }: Call,
  told: AuthorityRenewalAnswer & { readonly directory: string; readonly refused: readonly RefusedRecipient[] },
): void {
  const { endsAt, refused, sealedTo } = told;
  if (terminal.json) {
    terminal.printJson(told);
    return;
  }
  terminal.print(
    `The cluster has a new issuing authority, good until ${endsAt.slice(0, 10)}, on ${sealedTo.join(', ')}.`,
    ...refused.map(
      ({ because, node }) => `  ${node} gets it from another node when its sealing certificate is good: ${because}`,
    ),
  );
}

function refusals(refused: readonly RefusedRecipient[]): string {
  return refused.map(({ because, node }) => `${node}: ${because}`).join('; ') || 'none has a sealing certificate';
}
