/** `understudy recover`: everything is lost but the repository of backups. Declares the verb. */
import type { Command } from 'commander';
import type { CommonOptions, Perform } from './call.ts';

export interface RecoverOptions extends CommonOptions {
  readonly to: string;
  readonly backup?: string;
  readonly passphraseFile?: string;
  readonly credentials?: string;
  readonly nodeFile?: string;
  readonly data?: string;
  readonly clusterIsGone?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const examples = `
Examples:
  understudy recover cluster.yaml --passphrase-file passphrase --credentials s3.json
  understudy recover cluster.yaml --to "2026-11-19 14:00" --passphrase-file - < passphrase
  understudy recover cluster.yaml --data /srv/postgres/data --passphrase-file passphrase --dry-run

For a cluster that is gone: nothing of it may run any more, since it goes on in the same repository, on a new timeline. On a
database node that is set up (its node file, a store that knows no cluster) the data directory is written, and the store is given
the declaration and the lease of that node: its agent goes on from there, and the other nodes are cloned. With --data only the
directory is written. A living cluster archives each minute: where the newest WAL is younger than 3 min, it is looked for up to 75 s
whether more comes, and refused then (exit code 3), unless --cluster-is-gone says that it can't be the cluster. docs/backups.md has the whole way.
`;

export function declareRecover(program: Command, perform: Perform): void {
  program
    .command('recover')
    .summary('a cluster that is lost, from its repository alone')
    .description(
      'Writes the data directory for the first database node of a cluster that is lost, from the repository and the passphrase alone.',
    )
    .argument('<file>', 'the cluster file, with its backups section')
    .option('--to <target>', 'a time, "2 h ago", an LSN, xid:ID, name:NAME, or latest', 'latest')
    .option('--backup <label>', 'from this backup, where the nearest one is damaged, say')
    .option('--passphrase-file <file>', "the repository's passphrase; - for standard input; asked for if left out")
    .option('--credentials <file>', 'the credentials of the repository; what the cluster file names if left out')
    .option('--node-file <file>', 'of the node that becomes primary; /etc/understudy/node.yaml if left out')
    .option('--data <directory>', 'write only this data directory')
    .option('--cluster-is-gone', 'do not look whether somebody still archives')
    .option('--dry-run', 'show the plan, and do nothing')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print the plan or what was done as JSON')
    .addHelpText('after', examples)
    .action((file: string, _, command: Command) => {
      const options = command.optsWithGlobals<RecoverOptions>();
      return perform(options, async (call) => (await import('./recover-run.ts')).recover(call, file, options));
    });
}
