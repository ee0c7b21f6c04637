/** `understudy ca`: founds a cluster's certificate authority, and says how one stands. Only a rollover's phase is asked of the cluster. */
import { type Command, Option } from 'commander';
import { renewalCommands } from '../core/authority.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { authorityWarningMs } from '../pki/authority-ending.ts';
import type { AuthorityPart } from '../pki/authority-files.ts';
import { authorityPlace, type PlaceOptions, usualAuthorityDirectory } from './authority-place.ts';
import { declareFirstNode } from './ca-first-node.ts';
import { declareCaRenew, issuingLifeMs } from './ca-renew.ts';
import { declareCaRollover } from './ca-rollover.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { countFrom, wholeNumber } from './option-values.ts';
import { newPassphrase, type PassphraseOptions } from './passphrase.ts';
import type { Paint } from './terminal.ts';
import { ageText } from './words.ts';

interface InitOptions extends CommonOptions, PassphraseOptions {
  readonly cluster: string;
  readonly in: string;
  readonly commonName?: string;
  readonly organization?: string;
  readonly unit?: string;
  readonly locality?: string;
  readonly state?: string;
  readonly country?: string;
  readonly years: number;
}

interface StatusOptions extends CommonOptions, PlaceOptions {}

const yearMs = 365 * 24 * 60 * 60_000;

const initExamples = `
Examples:
  understudy ca init --cluster psf --organization 'Python Software Foundation' --country US
  understudy ca init --cluster psf --in ca --passphrase-file /run/ca-passphrase --json
`;

export function declareCa(program: Command, perform: Perform): void {
  const ca = program
    .command('ca')
    .summary("the cluster's certificate authority")
    .description('Founds it, renews it, and says how it stands.');
  ca.command('init')
    .summary('founds the certificate authority of a new cluster')
    .description(
      'Makes a root and an issuing authority, with their keys encrypted under a passphrase (scrypt, AES-256). Keep a copy of root.key and root.crt elsewhere, and the passphrase at a third place: without them nothing can be issued once the issuing authority has expired.',
    )
    .requiredOption('--cluster <name>', 'the name of the cluster, as in its declaration')
    .option('--in <directory>', 'where to keep it', usualAuthorityDirectory)
    .option('--common-name <text>', "the root's name; '<cluster> root' by default")
    .option('--organization <text>', 'whose it is')
    .option('--unit <text>', 'which part of the organization')
    .option('--locality <text>', 'the town')
    .option('--state <text>', 'the state or province')
    .option('--country <code>', 'two letters, such as US')
    .option('--years <count>', 'how long the root is good for', countFrom(2, 50), 20)
    .addOption(new Option('--passphrase-file <file>', 'read the passphrase from a file').conflicts('passphraseFd'))
    .option('--passphrase-fd <number>', 'read the passphrase from this file descriptor', wholeNumber)
    .option('--json', 'print what was made as JSON')
    .addHelpText('after', initExamples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<InitOptions>();
      return perform(options, (call) => init(call, options));
    });
  declareFirstNode(ca, perform);
  ca.command('status')
    .summary('how long root and issuing authority are good, and how their keys lie')
    .description(
      'Looks at the files of an authority, and how far a rollover is. Exits 1 when something has to be done.',
    )
    .option('--in <directory>', `where it is kept; ${usualAuthorityDirectory}, or that of this directory's stage`)
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  understudy ca status --in ca\n')
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<StatusOptions>();
      return perform(options, (call) => status(call, options));
    });
  declareCaRenew(ca, perform);
  declareCaRollover(ca, perform);
}

async function init(call: Call, options: InitOptions): Promise<number> {
  const { foundAuthority, readAuthorityParts } = await import('../pki/authority-files.ts');
  const { cluster, country, locality, organization, state, unit } = options;
  const directory = await authorityPlace(call, options);
  const subject = {
    commonName: options.commonName ?? `${cluster} root`,
    ...(organization === undefined ? {} : { organization }),
    ...(unit === undefined ? {} : { organizationalUnit: unit }),
    ...(locality === undefined ? {} : { locality }),
    ...(state === undefined ? {} : { state }),
    ...(country === undefined ? {} : { country }),
  };
  const passphrase = await newPassphrase(call, options);
  const lives = { rootLifeMs: options.years * yearMs, issuingLifeMs };
  await foundAuthority({ directory, cluster, subject, passphrase, ...lives, nowMs: Date.now() });
  const parts = readAuthorityParts(directory);
  if (call.terminal.json) call.terminal.printJson({ directory, parts: parts.map(partAsJson) });
  else
    call.terminal.print(
      `The authority of ${cluster} is founded in ${directory}.`,
      ...lines(parts, Date.now(), call.terminal.paint),
    );
  return exitCodes.done;
}

async function status(call: Call, options: StatusOptions): Promise<number> {
  const { readAuthorityParts } = await import('../pki/authority-files.ts');
  const { rolloverStanding, rolloverText } = await import('./rollover-standing.ts');
  const directory = await authorityPlace(call, options);
  const parts = readAuthorityParts(directory);
  const nowMs = Date.now();
  const rollover = await rolloverStanding(call, directory);
  const todo = [
    ...(rollover === null ? [] : [rolloverText(rollover)]),
    ...parts.flatMap((part) => todoOf(part, nowMs)),
  ];
  if (call.terminal.json) {
    call.terminal.printJson({ directory, parts: parts.map(partAsJson), rollover, todo });
  } else {
    const verdict = todo.length === 0 ? 'The authority is well.' : `To do: ${todo.join('; ')}.`;
    call.terminal.print(verdict, ...lines(parts, nowMs, call.terminal.paint));
  }
  return todo.length === 0 ? exitCodes.done : exitCodes.failed;
}

function todoOf({ part, expiresAtMs, key }: AuthorityPart, nowMs: number): readonly string[] {
  const named = part === 'root' ? 'the root' : 'the issuing authority';
  return [
    ...(expiresAtMs <= nowMs ? [`${named} has expired (${renewalCommands[part]})`] : []),
    ...(expiresAtMs > nowMs && expiresAtMs < nowMs + authorityWarningMs
      ? [`${named} ends in ${ageText(expiresAtMs - nowMs)} (${renewalCommands[part]})`]
      : []),
    ...(key === 'clear' ? [`the key of ${named} is not encrypted`] : []),
  ];
}

function lines(parts: readonly AuthorityPart[], nowMs: number, paint: Paint): readonly string[] {
  return parts.flatMap(({ part, subject, fingerprint256, expiresAtMs, key }) => [
    `${paint('bold', part.padEnd(8))} ${subject}`,
    `         good until ${new Date(expiresAtMs).toISOString().slice(0, 10)}, ${ageText(expiresAtMs - nowMs)} from now; key ${key}`,
    `         SHA-256 ${fingerprint256}`,
  ]);
}

function partAsJson({ issuedAtMs, expiresAtMs, ...part }: AuthorityPart) {
  return { ...part, issuedAt: new Date(issuedAtMs).toISOString(), expiresAt: new Date(expiresAtMs).toISOString() };
}
