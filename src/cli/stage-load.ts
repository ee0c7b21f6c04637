/** `understudy stage load`: declares the verb; what it does is in stage-load-verb.ts. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Workload, workloads } from '../history/attempt.ts';
import type { CommonOptions, Perform } from './call.ts';
import { collect, countFrom, someDuration } from './option-values.ts';

export interface LoadOptions extends CommonOptions {
  /** In ms. */
  readonly for: number;
  readonly writers: number;
  readonly workload: readonly Workload[];
  readonly commit: 'local' | 'replicated';
  readonly app?: string;
  readonly rate?: number;
}

const mostWriters = 200;
const mostPerSecond = 100_000;
const loadExamples = `
Examples:
  understudy stage load
  understudy stage load --for 2min --commit replicated
  understudy stage load --workload append,bank --writers 20 --json
`;

export function declareStageLoad(stage: Command, perform: Perform): void {
  stage
    .command('load')
    .summary('write through its poolers, then prove what became of it')
    .description(
      'Writes through the poolers of the stage in this directory and keeps account of every transaction. When it is over it waits until the cluster has come to rest, reads every database node, and says whether anything that was promised is missing. Ctrl-C ends it early, and it is judged all the same; Ctrl-C again reads the nodes as they are.',
    )
    .addOption(
      new Option('--for <duration>', 'how long to write, such as 30s or 5min')
        .argParser(someDuration)
        .default(30_000, '30s'),
    )
    .option('--writers <count>', 'writers, shared out among the poolers', countFrom(1, mostWriters), 8)
    .addOption(
      new Option('--workload <kinds>', 'what to write; with commas, or repeated')
        .argParser(collectWorkloads)
        .default(workloads, workloads.join(',')),
    )
    .addOption(
      new Option('--commit <level>', 'what each transaction asks for')
        .choices(['local', 'replicated'])
        .default('local'),
    )
    .option('--app <name>', 'the application; may be left out when there is only one')
    .option('--rate <count>', 'transactions per second of all writers together', countFrom(1, mostPerSecond))
    .option('--json', 'print the report as JSON')
    .addHelpText('after', loadExamples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<LoadOptions>();
      return perform(options, async (call) => (await import('./stage-load-verb.ts')).loadStage(call, options));
    });
}

function collectWorkloads(value: string, before: readonly Workload[]): readonly Workload[] {
  const known = collect(value).map((name) => {
    const found = workloads.find((workload) => workload === name);
    if (found === undefined) throw new InvalidArgumentError(`Workloads are ${workloads.join(', ')}.`);
    return found;
  });
  if (known.length === 0) throw new InvalidArgumentError(`Workloads are ${workloads.join(', ')}.`);
  // The default is replaced by what is asked for first.
  return [...new Set([...(before === workloads ? [] : before), ...known])];
}
