/**
 * `understudy backup`: what the repository of backups holds, and the work on it.
 *
 * Invariant: work is ordered, and done by an agent; a command that is broken off leaves it going on.
 */
import type { Command } from 'commander';
import type { BackupStanding } from '../api/contract/backups.ts';
import type { BackupWork } from '../core/backup-run.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { declareCancel } from './backup-cancel.ts';
import { declareProve } from './backup-prove.ts';
import type { Call, CommonOptions, Perform } from './call.ts';

interface NowOptions extends CommonOptions {
  readonly full?: boolean;
  readonly differential?: boolean;
  readonly on?: string;
  readonly wait: boolean;
}

interface WorkOptions extends CommonOptions {
  readonly wait: boolean;
}

const orderWithinMs = 10_000;

const examples = `
Examples:
  understudy backup list              what there is, and how far back one can look
  understudy backup now               a full backup if there is none, else what has changed since
  understudy backup now --full
  understudy backup verify            reads everything that is there and compares it with its checksums
  understudy backup prove             restores some moment on a standby, and looks through it
  understudy backup secret --credentials s3.json

The schedule stands in the cluster file (\`backups\`). Exit code 3: other work is under way; 1: it failed.
`;

export function declareBackup(program: Command, perform: Perform): void {
  const backup = program
    .command('backup')
    .summary('what the repository of backups holds, and the work on it')
    .description('Lists backups, makes one now, verifies or expires what is there.')
    .addHelpText('after', examples);
  backup
    .command('list')
    .summary('the backups, and how far back one can look')
    .description('Lists the backups that the repository holds, and the moments that can be restored.')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  understudy backup list\n')
    .action((_, command: Command) => perform(command.optsWithGlobals<CommonOptions>(), list));
  backup
    .command('info [label]')
    .summary('where the repository lies, and whether it takes what comes; or one backup')
    .description(
      'Says where the repository lies, whether it can be reached, and how old the newest commit is that it has; or all of one backup.',
    )
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExamples:\n  understudy backup info\n  understudy backup info 20261115-023001F\n')
    .action((label: string | undefined, _, command: Command) =>
      perform(command.optsWithGlobals<CommonOptions>(), (call) => info(call, label)),
    );
  backup
    .command('now')
    .summary('make a backup')
    .description('Makes a backup now: a full one if there is none, else what has changed since the last full one.')
    .option('--full', 'everything')
    .option('--differential', 'what has changed since the last full one')
    .option('--on <node>', 'this node makes it; a standby that is fit, by default')
    .option('--no-wait', 'only order it')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  understudy backup now\n  understudy backup now --full --no-wait\n  understudy backup now --on db2\n',
    )
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<NowOptions>();
      if (options.full === true && options.differential === true) {
        throw new UnderstudyError('REQUEST_INVALID', '--full and --differential contradict each other');
      }
      return perform(options, (call) => now(call, options));
    });
  declareWork(backup, perform, 'verify', {
    summary: 'read everything that is there and compare it with its checksums',
    description: 'Reads every backup and all archived WAL, and compares it with its checksums.',
  });
  declareWork(backup, perform, 'expire', {
    summary: 'remove what has outlived its time',
    description: 'Removes the backups, and the WAL before them, that have outlived `backups.keep`.',
  });
  declareProve(backup, perform);
  declareCancel(backup, perform);
  declareSecret(backup, perform);
}

function declareWork(
  backup: Command,
  perform: Perform,
  work: BackupWork,
  { summary, description }: { readonly summary: string; readonly description: string },
): void {
  backup
    .command(work)
    .summary(summary)
    .description(description)
    .option('--no-wait', 'only order it')
    .option('--json', 'print it as JSON')
    .addHelpText('after', `\nExample:\n  understudy backup ${work}\n`)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<WorkOptions>();
      return perform(options, (call) => order(call, work, options.wait));
    });
}

interface SecretOptions extends CommonOptions {
  readonly credentials?: string;
  readonly passphraseFile?: string;
  readonly makePassphrase: boolean;
  readonly replace: boolean;
}

const secretHelp = `
Examples:
  understudy backup secret --credentials s3.json                       other credentials, the same passphrase
  understudy backup secret --credentials s3.json --passphrase-file p   of a repository that is there already
  understudy backup secret --credentials s3.json --make-passphrase     shown once: keep it where the servers are not

Exit code 3: another passphrase is in use; what it encrypted opens with no other (--replace).
`;

function declareSecret(backup: Command, perform: Perform): void {
  backup
    .command('secret')
    .summary('give the credentials of the repository, and its passphrase')
    .description(
      'Seals the credentials, and the passphrase that everything in the repository is encrypted with, to every database node.',
    )
    .option('--credentials <file>', 'the credentials, as JSON; a directory needs none')
    .option('--passphrase-file <file>', 'the passphrase is its first line; - for standard input')
    .option('--make-passphrase', 'make one, and show it once', false)
    .option('--replace', 'in the place of another passphrase', false)
    .option('--json', 'print it as JSON')
    .addHelpText('after', secretHelp)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<SecretOptions>();
      if (options.makePassphrase && options.passphraseFile !== undefined) {
        throw new UnderstudyError('REQUEST_INVALID', '--make-passphrase and --passphrase-file contradict each other');
      }
      return perform(options, async (call) => await (await import('./backup-secret.ts')).giveSecret(call, options));
    });
}

async function standingOf(call: Call): Promise<BackupStanding> {
  const access = await call.cluster();
  return await access.ask((client, asking) => client.backups(asking));
}

function shownOn({ terminal }: Call) {
  return { nowMs: Date.now(), width: terminal.columns };
}

async function list(call: Call): Promise<number> {
  const standing = await standingOf(call);
  const { listLines } = await import('./repository-text.ts');
  if (call.terminal.json) call.terminal.printJson(standing);
  else call.terminal.print(...listLines(standing, shownOn(call)));
  return exitCodes.done;
}

async function info(call: Call, label: string | undefined): Promise<number> {
  const standing = await standingOf(call);
  const { infoLines, listFacts } = await import('./repository-text.ts');
  if (label === undefined) {
    if (call.terminal.json) call.terminal.printJson(standing);
    else call.terminal.print(...infoLines(standing, shownOn(call)));
    return exitCodes.done;
  }
  const { backupInfoText } = await import('./backup-text.ts');
  const facts = listFacts(standing, shownOn(call));
  const lines = facts === null ? null : backupInfoText(facts, label);
  if (lines === null) {
    throw new UnderstudyError('NOT_FOUND', `there is no backup ${label}`, { hint: 'understudy backup list' });
  }
  const backup = standing.repository?.contents.backups.find((each) => each.label === label);
  if (call.terminal.json) call.terminal.printJson(backup);
  else call.terminal.print(...lines);
  return exitCodes.done;
}

async function now(call: Call, options: NowOptions): Promise<number> {
  const { on, wait } = options;
  if (options.full === true) return await order(call, 'full', wait, on);
  if (options.differential === true) return await order(call, 'differential', wait, on);
  const { repository } = await standingOf(call);
  const hasFull = repository?.contents.backups.some(({ kind }) => kind === 'full') === true;
  return await order(call, hasFull ? 'differential' : 'full', wait, on);
}

async function order(call: Call, work: BackupWork, waits: boolean, node?: string): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  const ordered = await access.order((client, asking) => client.orderBackup({ work, node }, asking), orderWithinMs);
  if (!waits) {
    if (terminal.json) terminal.printJson(ordered);
    else terminal.print(`${ordered.id}: ${work} was ordered of ${ordered.node}`);
    return exitCodes.done;
  }
  const { followRun } = await import('./backup-follow.ts');
  const run = await followRun(call, access, ordered);
  if (terminal.json) terminal.printJson(run);
  else terminal.print(`${run.id}: ${work} on ${run.node} is done: ${run.outcome}`);
  return exitCodes.done;
}
