/**
 * `understudy past MOMENT`: the database as it was, as a server of its own that can only be read; and what differs since then.
 *
 * Invariant: whatever an earlier call left half made, or has expired, is ended first.
 */
import { type Command, Option } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, Perform } from './call.ts';
import { byteSize, collect, countFrom, nodeName, someDuration } from './option-values.ts';
import { openAt, type PastOptions, requireInstance, type WhenOptions } from './past-opening.ts';
import type { PastPlace } from './past-place.ts';

const examples = `
Examples:
  understudy past "2026-11-19 14:00"                     a read-only server as of then; prints its URI
  understudy past "2 h ago" --for 8h
  understudy past "2 h ago" --source standby             on a delayed standby: from that, or not at all
  understudy past 0/3000028                              just after that position in the WAL; or xid:4711
  understudy past "2 h ago" --tables --database shop     which tables differ in their number of rows
  understudy past p1 --table users --sql back.sql        what differs, and the statements that bring it back
  understudy past when "EXISTS (SELECT FROM users WHERE name IS NULL)" --database shop
  understudy past list
  understudy past move p1 "1 h ago"
  understudy past close p1

It is called on a database node, or in a stage's directory, as root or as the user of the agent. An instance ends by itself after
4 h. With --table or --tables one is opened for the comparison alone, unless --for is given or p1 names one.
Exit code 3: that moment is outside of what can be recovered (the message says what can be), or there is no room.
`;

const whenExamples = `
Examples:
  understudy past when "EXISTS (SELECT FROM users WHERE name IS NULL)"
  understudy past when "(SELECT count(*) FROM orders) < 1000" --database shop --from "2 d ago" --precision 10s
`;

export function declarePast(program: Command, perform: Perform): void {
  const past = program
    .command('past')
    .summary('the database as it was')
    .description('Opens the database as it was at a moment, as a server of its own that can only be read.')
    .argument(
      '[moment]',
      'a time, a span ("2 h ago"), an LSN, xid:…, name:…; or an open instance, with --table or --tables',
    )
    .option('--for <time>', 'ends by itself after that time; 4 h if left out', someDuration)
    .option('--max-size <size>', 'what all instances together may have on disk, such as 50GB', byteSize)
    .addOption(
      new Option('--source <source>', 'where it comes from; left out: on a delayed standby that, where it can').choices(
        ['standby', 'repository'],
      ),
    )
    .option('--node <node>', 'the database node, which must be on this machine', nodeName)
    .option('--database <database>', 'the database; needed with --table and --tables where there are several')
    .option('--table <table>', 'show what differs in this table between then and now')
    .option('--key <columns>', 'columns that tell its rows apart, where it has no primary key', collect)
    .option('--where <condition>', 'only rows of which this is true, then or now')
    .option('--limit <count>', 'so many differences at most', countFrom(1, 1_000_000_000))
    .option(
      '--sql <file>',
      'write the statements that bring the rows back; the file must not be there yet, or be empty',
    )
    .option('--tables', 'show which tables there were and are, and how many rows they have')
    .option('--count', 'with --tables: count the rows instead of taking the estimates')
    .option('--json', 'print it as JSON')
    .addHelpText('after', examples)
    .action((moment: string | undefined, _, command: Command) => {
      const options = command.optsWithGlobals<PastOptions>();
      if (moment === undefined) {
        throw new UnderstudyError('REQUEST_INVALID', 'a moment is missing, such as "2 h ago"', {
          hint: 'understudy past --help',
        });
      }
      return perform(options, (call) => openOrCompare(call, moment, options));
    });
  declareOthers(past, perform);
}

function declareOthers(past: Command, perform: Perform): void {
  past
    .command('list')
    .summary('the instances that are open on this machine')
    .description('Lists the instances of the past that are open on this node.')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExamples:\n  understudy past list\n  understudy past list --json\n')
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<PastOptions>();
      return perform(options, (call) => list(call, options));
    });
  past
    .command('move')
    .summary('to another moment')
    .description('Moves an instance: forward by replaying on, backward by another copy under the same name.')
    .argument('<id>', 'the instance, such as p1')
    .argument('<moment>', 'to where')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  understudy past move p1 "1 h ago"\n  understudy past move p1 "2026-11-19 14:05" --for 8h\n',
    )
    .action((id: string, moment: string, _, command: Command) => {
      const options = command.optsWithGlobals<PastOptions>();
      return perform(options, (call) => move(call, id, moment, options));
    });
  past
    .command('close')
    .summary('end an instance')
    .description('Ends an instance of the past, and removes what it had on disk but for what serves the next one.')
    .argument('<id>', 'the instance, such as p1')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExamples:\n  understudy past close p1\n')
    .action((id: string, _, command: Command) => {
      const options = command.optsWithGlobals<PastOptions>();
      return perform(options, (call) => close(call, id, options));
    });
  past
    .command('when')
    .summary('from when on a condition is true')
    .description('Finds the moment from which an SQL condition is true, by asking the database at a few moments.')
    .argument('<condition>', 'SQL that is true or false, or a whole SELECT of one value')
    .option('--from <moment>', 'not true yet; the end of the oldest backup if left out')
    .option('--to <moment>', 'true; now if left out')
    .option('--precision <time>', 'how close; 1 s if left out', someDuration)
    .option('--json', 'print it as JSON')
    .addHelpText('after', whenExamples)
    .action((condition: string, _, command: Command) => {
      const options = command.optsWithGlobals<PastOptions & WhenOptions>();
      return perform(
        options,
        async (call) => await (await import('./past-when.ts')).findWhen(call, condition, options),
      );
    });
}

async function openOrCompare(call: Call, moment: string, options: PastOptions): Promise<number> {
  const compares = options.table !== undefined || options.tables === true;
  if (compares) return await (await import('./past-difference.ts')).showDifference(call, moment, options);
  const [{ pastPlace, readTarget }, { instanceJson, openedLines }] = await Promise.all([
    import('./past-place.ts'),
    import('./past-text.ts'),
  ]);
  const target = await readTarget(moment);
  const place = await pastPlace(call, options.node);
  const record = await openAt(call, place, target, options);
  const database = options.database ?? 'postgres';
  if (call.terminal.json) call.terminal.printJson(instanceJson(place.parts, record, database));
  else call.terminal.print(...openedLines(place.parts, record, 'opened', database));
  return exitCodes.done;
}

async function list(call: Call, options: PastOptions): Promise<number> {
  const [{ pastPlace }, { instanceJson, listLines }] = await Promise.all([
    import('./past-place.ts'),
    import('./past-text.ts'),
  ]);
  const { parts } = await pastPlace(call, options.node);
  await sweepFirst(parts);
  const records = parts.scratch.instances();
  if (call.terminal.json) call.terminal.printJson(records.map((record) => instanceJson(parts, record)));
  else call.terminal.print(...listLines(records, Date.now()));
  return exitCodes.done;
}

async function sweepFirst(parts: PastPlace['parts']): Promise<void> {
  const { sweep } = await import('../past/ending.ts');
  await sweep(parts);
}

async function move(call: Call, id: string, moment: string, options: PastOptions): Promise<number> {
  const [{ pastPlace, readTarget }, { instanceJson, openedLines }] = await Promise.all([
    import('./past-place.ts'),
    import('./past-text.ts'),
  ]);
  const target = await readTarget(moment);
  const place = await pastPlace(call, options.node);
  await sweepFirst(place.parts);
  const record = await openAt(call, place, target, options, requireInstance(place.parts, id));
  const database = options.database ?? 'postgres';
  if (call.terminal.json) call.terminal.printJson(instanceJson(place.parts, record, database));
  else call.terminal.print(...openedLines(place.parts, record, 'moved', database));
  return exitCodes.done;
}

async function close(call: Call, id: string, options: PastOptions): Promise<number> {
  const [{ pastPlace }, { endOne }] = await Promise.all([import('./past-place.ts'), import('../past/ending.ts')]);
  const { parts } = await pastPlace(call, options.node);
  await sweepFirst(parts);
  if (!(await endOne(parts, requireInstance(parts, id), { warm: true }))) {
    throw new UnderstudyError('CONFLICT', `another command moves or ends ${id}`, { hint: 'understudy past list' });
  }
  if (call.terminal.json) call.terminal.printJson({ closed: id });
  else call.terminal.print(`${id} is closed`);
  return exitCodes.done;
}
