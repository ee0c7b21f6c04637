/**
 * Composes the verbs to one program, runs one command line, and answers its exit code (see errors/exit-codes.ts).
 *
 * Never throws, and never ends the process. What a verb needs is loaded when it is asked for, so that the program starts
 * quickly however many verbs there are.
 */
import { type Command, CommanderError } from 'commander';
import { exitCodeFor, exitCodes } from '../errors/exit-codes.ts';
import { version } from '../version.ts';
import { declareAgent } from './agent.ts';
import { declareApply } from './apply.ts';
import { declareAudit } from './audit.ts';
import { declareBackup } from './backup.ts';
import { declareByHand } from './by-hand.ts';
import { declareCa } from './ca.ts';
import { type Perform, withCall } from './call.ts';
import { declareCertificates } from './certificates.ts';
import { declareCompletion } from './completion.ts';
import { declareCredentials } from './credentials.ts';
import { declareDoctor } from './doctor.ts';
import { declareDump } from './dump.ts';
import { declareEnrol } from './enrol.ts';
import { declareEvents } from './events.ts';
import { declareFailover } from './failover.ts';
import { declareHandsOff } from './hands-off.ts';
import { declareLoadFile } from './load-file.ts';
import { declareLost } from './lost.ts';
import { declareNodeOrders } from './node-orders.ts';
import { declareNode } from './node-token.ts';
import { declareOperator } from './operators.ts';
import { declarePast } from './past.ts';
import { declarePlan } from './plan.ts';
import { declareReadOnly } from './read-only.ts';
import { declareReceipts } from './receipts.ts';
import { declareRecover } from './recover.ts';
import { declareRestore } from './restore.ts';
import { declareSchema } from './schema.ts';
import { declareStage } from './stage.ts';
import { declareStatus } from './status.ts';
import { declareSwitchover } from './switchover.ts';
import { type CliIo, createTerminal, usageFailure } from './terminal.ts';
import { declareUri } from './uri.ts';
import { VerbCommand } from './verb-command.ts';
import { declareVersion } from './version.ts';
import { declareWhy } from './why.ts';

const verbs = [
  declareStage,
  declareStatus,
  declarePlan,
  declareApply,
  declareSwitchover,
  declareFailover,
  declareHandsOff,
  declareReadOnly,
  declareByHand,
  declareDump,
  declareLoadFile,
  declareUri,
  declareBackup,
  declarePast,
  declareRestore,
  declareRecover,
  declareCredentials,
  declareEvents,
  declareWhy,
  declareReceipts,
  declareLost,
  declareNodeOrders,
  declareNode,
  declareEnrol,
  declareOperator,
  declareCertificates,
  declareCa,
  declareDoctor,
  declareAudit,
  declareSchema,
  declareCompletion,
  declareVersion,
  declareAgent,
];

const examples = `
Examples:
  understudy stage up
  understudy status --watch
  understudy switchover --dry-run
  psql "$(understudy uri)" -c 'select 1'
`;

export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  let exit: number = exitCodes.done;
  const perform: Perform = async (options, verb) => {
    exit = await withCall(io, options, verb);
  };
  try {
    await createProgram(io, perform).parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    const terminal = createTerminal(io, asksForJson(argv));
    if (!(error instanceof CommanderError)) {
      terminal.fail(error);
      return exitCodeFor(error);
    }
    if (error.exitCode === 0) return exitCodes.done;
    // Without a verb the help was shown already; it says what would be right.
    if (error.code !== 'commander.help') terminal.fail(usageFailure(error.message));
    return exitCodes.usage;
  }
}

export function createProgram(io: CliIo, perform: Perform): Command {
  const program = new VerbCommand('understudy')
    .description('High availability for PostgreSQL on ordinary servers.')
    .usage('VERB [options]')
    .option(
      '--context <file>',
      'the cluster to speak to, and as whom (on a stage also: operator, viewer); otherwise UNDERSTUDY_CONTEXT, the stage of this directory, or /etc/understudy/context.json',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [verb]', 'show the help of a verb')
    .exitOverride()
    .configureHelp({ helpWidth: Math.min(io.stdout.columns ?? 100, 110) })
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      // Told once, in the shape that all errors have.
      outputError: () => undefined,
    });
  for (const declare of verbs) declare(program, perform);
  return program.addHelpText('after', examples);
}

/** Known before the options are parsed, since mistakes in them are told as JSON as well. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}
