/** `understudy why`: what each agent decided last, from what, and what it refused. */
import type { Command } from 'commander';
import type { WhyAnswer } from '../api/contract/looks.ts';
import type { Prospect } from '../core/forecast.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { askEachNode, type Reading } from './each-node.ts';
import { nodeName } from './option-values.ts';
import { errorAsJson, type Paint } from './terminal.ts';
import { bytesText, oneLine } from './words.ts';

interface WhyOptions extends CommonOptions {
  readonly node?: string;
}

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
    .option('--node <node>', 'only this node; app nodes too', nodeName)
    .option('--json', 'print it as JSON')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<WhyOptions>();
      return perform(options, (call) => why(call, options.node));
    });
}

async function why(call: Call, node: string | undefined): Promise<number> {
  const { terminal } = call;
  const readings = await askEachNode(await call.cluster(), node, (client, asking) => client.why(asking));
  if (terminal.json) {
    terminal.printJson(
      readings.map((reading) =>
        'answer' in reading ? reading.answer : { node: reading.node, error: errorAsJson(reading.error) },
      ),
    );
  } else {
    terminal.print(...readings.flatMap((reading) => readingLines(reading, terminal.paint)));
  }
  return exitCodes.done;
}

function readingLines(reading: Reading<WhyAnswer>, paint: Paint): readonly string[] {
  if ('error' in reading) return [`${paint('bold', reading.node)}: ${paint('red', describeError(reading.error))}`];
  return whyLines(reading.answer, paint);
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
