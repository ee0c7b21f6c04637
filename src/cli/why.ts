/** `understudy why`: what each agent decided last, from what, and what it refused. */
import type { Command } from 'commander';
import type { WhyAnswer } from '../api/contract.ts';
import type { Prospect } from '../core/forecast.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { errorAsJson, type Paint } from './terminal.ts';
import { bytesText, oneLine } from './words.ts';

interface WhyOptions extends CommonOptions {
  readonly node?: string;
}

type Reading = { readonly node: string } & ({ readonly why: WhyAnswer } | { readonly error: unknown });

const examples = `
Examples:
  understudy why
  understudy why --node pg1 --json
`;

export function declareWhy(program: Command, perform: Perform): void {
  program
    .command('why')
    .summary('why each node does what it does')
    .description('Shows the last decision of every database agent: its reasons, what it did, what it refused and why.')
    .option('--node <node>', 'only this node; app nodes too')
    .option('--json', 'print it as JSON')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<WhyOptions>();
      return perform(options, (call) => why(call, options.node));
    });
}

async function why(call: Call, node: string | undefined): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  if (node === undefined || access.agent(node) === undefined) await learnNodes(access);
  const nodes = node === undefined ? access.databaseAgents.map((agent) => agent.node).sort() : [node];
  const readings = await Promise.all(nodes.map((name) => read(access, name)));
  if (readings.every((reading) => 'error' in reading)) throw nobody(readings);
  if (terminal.json) {
    terminal.printJson(
      readings.map((reading) =>
        'why' in reading ? reading.why : { node: reading.node, error: errorAsJson(reading.error) },
      ),
    );
  } else {
    terminal.print(...readings.flatMap((reading) => readingLines(reading, terminal.paint)));
  }
  return exitCodes.done;
}

/** For nodes that joined since the context file was written; those named there can be asked without it. */
async function learnNodes(access: ClusterAccess): Promise<void> {
  try {
    await access.status();
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
  }
}

async function read(access: ClusterAccess, node: string): Promise<Reading> {
  try {
    return { node, why: await access.askNode(node, (client, asking) => client.why(asking)) };
  } catch (error) {
    return { node, error };
  }
}

function nobody(readings: readonly Reading[]): unknown {
  const errors = readings.flatMap((reading) => ('error' in reading ? [reading.error] : []));
  const [first] = errors;
  if (errors.length === 1 || !isUnderstudyError(first)) return first;
  return new UnderstudyError(
    first.code,
    ['no agent could answer:', ...errors.map((error) => `  ${describeError(error)}`)].join('\n'),
  );
}

function readingLines(reading: Reading, paint: Paint): readonly string[] {
  if ('error' in reading) return [`${paint('bold', reading.node)}: ${paint('red', describeError(reading.error))}`];
  return whyLines(reading.why, paint);
}

export function whyLines(answer: WhyAnswer, paint: Paint): readonly string[] {
  const digest = answer.inputDigest === '' ? '' : `, from view ${answer.inputDigest}`;
  return [
    `${paint('bold', answer.node)} at ${answer.at}${digest}`,
    ...(answer.reasons.length === 0 ? ['  nothing to do'] : []),
    ...answer.reasons.map(({ code, text }) => `  ${oneLine(text)} ${paint('dim', `(${code})`)}`),
    ...answer.actions.map((action) => `  ${paint('green', 'did')} ${action.do}${becauseText(action.because)}`),
    ...(answer.candidates ?? []).map((candidate) => `  ${candidateText(candidate, paint)}`),
    ...answer.refused.map(
      ({ what, blockedBy, text }) =>
        `  ${paint('yellow', 'refused')} ${what}: ${text} ${paint('dim', `(${blockedBy})`)}`,
    ),
  ];
}

const standings: Readonly<Record<Prospect['standing'], string>> = {
  first: 'first in an election',
  able: 'could be elected',
  refused: 'could not be elected',
  unheard: 'would cast no ballot',
};

function candidateText({ node, standing, text, lacksBytes }: Prospect, paint: Paint): string {
  const tone = standing === 'first' || standing === 'able' ? 'green' : 'yellow';
  const lacks = lacksBytes === null || lacksBytes === 0 ? '' : `, ${bytesText(lacksBytes)} behind`;
  const reason = standing === 'first' ? '' : `: ${oneLine(text)}`;
  return `${node} ${paint(tone, standings[standing])}${reason}${lacks}`;
}

function becauseText(because: readonly string[]): string {
  return because.length === 0 ? '' : `, because ${because.join(', ')}`;
}
