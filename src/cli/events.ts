/** `understudy events`: what happened. */
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import type { EventRecord } from '../events/catalogue.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { eventLine } from './events-text.ts';
import { wholeNumber } from './option-values.ts';

interface EventsOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly after?: number;
}

/** After a broken stream; the next agent is tried at once, so that this is the pace only while none answers. */
const againAfterMs = 500;
const examples = `
Examples:
  understudy events
  understudy events --follow
  understudy events --after 120 --json
`;

export function declareEvents(program: Command, perform: Perform): void {
  program
    .command('events')
    .summary('what happened, oldest first')
    .description('Prints the latest events of the cluster; with --follow also those to come, until Ctrl-C.')
    .option('--json', 'print one JSON object per line')
    .option('-f, --follow', 'go on with what happens from now on')
    .option('--after <number>', 'only events with a higher sequence number', wholeNumber)
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<EventsOptions>();
      return perform(options, (call) =>
        options.follow === true ? followEvents(call, options) : showEvents(call, options),
      );
    });
}

function printEvent({ terminal }: Call, event: EventRecord): void {
  if (terminal.json) terminal.printJson(event);
  else terminal.print(eventLine(event, terminal.paint));
}

async function showEvents(call: Call, options: EventsOptions): Promise<number> {
  const access = await call.cluster();
  const events = await access.ask((client, asking) => client.events(options.after ?? 0, asking));
  for (const event of events) printEvent(call, event);
  return exitCodes.done;
}

/** Moves to another agent when the one it listens to goes away; each event is printed once. */
async function followEvents(call: Call, options: EventsOptions): Promise<number> {
  const access = await call.cluster();
  const { signal } = call;
  let last = options.after ?? 0;
  let isHeard = false;
  while (!signal.aborted) {
    try {
      await access.status();
      const agent = access.databaseAgents[0];
      if (agent === undefined) return exitCodes.unreachable;
      isHeard = true;
      await access.client(agent).followEvents(
        last,
        (event) => {
          // Another agent may know older ones that it was late to hear of.
          if (event.sequence <= last) return;
          last = event.sequence;
          printEvent(call, event);
        },
        signal,
      );
    } catch (error) {
      if (signal.aborted) break;
      // Nobody there from the beginning is an answer; gone later is a reason to wait.
      if (!isHeard || !isUnderstudyError(error) || error.retry === 'never') throw error;
      await call.sleep(againAfterMs);
    }
  }
  return exitCodes.done;
}
