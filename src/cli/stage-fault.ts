/** `understudy stage fault`: declares the verbs that hurt a stage; what they do is in stage-fault-verbs.ts. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Direction, type FaultOrder, type ProcessTarget, processTargets } from '../stage/fault-words.ts';
import type { CommonOptions, Perform } from './call.ts';
import { collect, countFrom, duration } from './option-values.ts';

interface FaultOptions extends CommonOptions {
  readonly for?: number;
}

const mostMembers = 9;

/** Declares one verb with the options that all faults have. */
type Declare = (usage: string, summary: string, description: string, examples: readonly string[]) => Command;

export function declareStageFaults(stage: Command, perform: Perform): void {
  const fault = stage
    .command('fault')
    .summary('hurt it: kill, freeze, cut off, fill a disk')
    .description(
      'Does to the processes, the network and the disks of the stage in this directory what happens to servers. Each fault lasts until `heal`, or as long as --for says: then the stage undoes it by itself.',
    );
  const declare: Declare = (usage, summary, description, examples) => {
    const lines = examples.map((example) => `  understudy stage fault ${example}`).join('\n');
    return fault
      .command(usage)
      .summary(summary)
      .description(description)
      .option('--json', 'print what was done as JSON')
      .addHelpText('after', `\nExamples:\n${lines}\n`);
  };
  const order = (options: FaultOptions, made: FaultOrder): Promise<void> =>
    perform(options, async (call) => (await import('./stage-fault-verbs.ts')).orderFault(call, made));
  declareProcessFaults(declare, order);
  declarePartition(declare, order);
  declareDiskFaults(declare, order);
  declareStoreStop(declare, perform);
  declareHealing(declare, perform);
}

type Order = (options: FaultOptions, made: FaultOrder) => Promise<void>;

function withFor(command: Command): Command {
  return command.option(
    '--for <duration>',
    'undo it after this long, such as 20s; otherwise it lasts until `heal`',
    duration,
  );
}

function forMs({ for: ms }: FaultOptions): number | null {
  return ms ?? null;
}

function declareProcessFaults(declare: Declare, order: Order): void {
  withFor(
    declare(
      'kill <node>',
      'end processes by SIGKILL',
      'Ends processes of a node by SIGKILL. With `all` the host is gone, its network first, and nothing of it starts again before it is healed; an agent and a store member stay dead likewise. What an agent starts again by itself (postmaster, postgres, fence, pgbouncer) is killed once, or with --for again and again.',
      ['kill db1 --what all', 'kill db1 --what postmaster', 'kill app1 --what pgbouncer --for 5s'],
    ),
  )
    .addOption(whatOption())
    .action((node: string, _, command: Command) => {
      const options = command.optsWithGlobals<FaultOptions & { readonly what: ProcessTarget }>();
      return order(options, { fault: 'kill', node, what: options.what, forMs: forMs(options) });
    });
  withFor(
    declare(
      'freeze <node>',
      'stop processes by SIGSTOP',
      'Stops processes of a node without ending them, as a host that hangs does. They go on when it is healed.',
      ['freeze db1 --what agent --for 20s', 'freeze db2 --what all'],
    ),
  )
    .addOption(whatOption())
    .action((node: string, _, command: Command) => {
      const options = command.optsWithGlobals<FaultOptions & { readonly what: ProcessTarget }>();
      return order(options, { fault: 'freeze', node, what: options.what, forMs: forMs(options) });
    });
}

function whatOption(): Option {
  return new Option('--what <processes>', 'which of the node: postgres is the postmaster with all its backends')
    .choices(processTargets)
    .makeOptionMandatory();
}

function declarePartition(declare: Declare, order: Order): void {
  withFor(
    declare(
      'partition <node>',
      'cut a node off from others',
      'Drops packets between a node and others. Needs a stage with --net. The others are `all` (everybody, this command line too), `store`, `peers` (the database nodes), or hosts by name. --one-way in drops only what comes to the node, out only what it sends.',
      ['partition db1', 'partition db1 --from store --for 60s', 'partition db1 --from db2,db3 --one-way in'],
    ),
  )
    .option('--from <others>', 'all, store, peers, or hosts with commas', collect)
    .addOption(new Option('--one-way <direction>', 'only this direction').choices(['in', 'out']))
    .action((node: string, _, command: Command) => {
      const options = command.optsWithGlobals<
        FaultOptions & { readonly from?: readonly string[]; readonly oneWay?: Direction }
      >();
      const from = options.from ?? ['all'];
      return order(options, { fault: 'partition', node, from, oneWay: options.oneWay ?? null, forMs: forMs(options) });
    });
}

function declareDiskFaults(declare: Declare, order: Order): void {
  withFor(
    declare(
      'fill <node>',
      "fill a database node's disk",
      'Takes every free block of the file system that holds the data directory. Needs a stage with --small-disks.',
      ['fill db2', 'fill db1 --for 30s'],
    ),
  ).action((node: string, _, command: Command) => {
    const options = command.optsWithGlobals<FaultOptions>();
    return order(options, { fault: 'fill', node, forMs: forMs(options) });
  });
  withFor(
    declare(
      'freeze-disk <node>',
      "let writes to a database node's disk hang",
      "Freezes the file system that holds the data directory: every write to it waits, and whoever writes can't be killed. Needs a stage with --small-disks.",
      ['freeze-disk db1 --for 20s'],
    ),
  ).action((node: string, _, command: Command) => {
    const options = command.optsWithGlobals<FaultOptions>();
    return order(options, { fault: 'freeze-disk', node, forMs: forMs(options) });
  });
}

function declareStoreStop(declare: Declare, perform: Perform): void {
  withFor(
    declare('stop-store', 'end the store', 'Ends every member of the store by SIGKILL, or one of them.', [
      'stop-store --for 60s',
      'stop-store --member 1',
    ]),
  )
    .option('--member <number>', 'only this one, from 1', countFrom(1, mostMembers))
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<FaultOptions & { readonly member?: number }>();
      return perform(options, async (call) =>
        (await import('./stage-fault-verbs.ts')).stopStore(call, options.member ?? null, forMs(options)),
      );
    });
}

function declareHealing(declare: Declare, perform: Perform): void {
  declare('heal [node]', 'undo faults', 'Undoes every fault of the stage, or those of one host.', [
    'heal',
    'heal db1',
  ]).action((node: string | undefined, _, command: Command) =>
    perform(command.optsWithGlobals<CommonOptions>(), async (call) =>
      (await import('./stage-fault-verbs.ts')).healStage(call, node ?? null),
    ),
  );
  declare('list', 'the faults in force', 'Lists the faults in force, oldest first.', ['list', 'list --json']).action(
    (_, command: Command) =>
      perform(command.optsWithGlobals<CommonOptions>(), async (call) =>
        (await import('./stage-fault-verbs.ts')).listFaults(call),
      ),
  );
}

const leastDiskMb = 256;
const mostDiskMb = 1_024 * 1_024;

/** `512M`, `2G`: in MiB. */
export function diskSize(value: string): number {
  const match = /^(\d{1,6})([MG])$/.exec(value);
  const size = Number(match?.[1] ?? 0) * (match?.[2] === 'G' ? 1_024 : 1);
  if (size < leastDiskMb || size > mostDiskMb)
    throw new InvalidArgumentError(`From ${leastDiskMb}M to ${mostDiskMb / 1_024}G is possible, such as 512M or 2G.`);
  return size;
}
