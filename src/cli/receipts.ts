/** `understudy receipts` and `understudy receipt`: the measured accounts of past switchovers. */
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { receiptLines, receiptRow } from './receipt-text.ts';
import { columns } from './words.ts';

export function declareReceipts(program: Command, perform: Perform): void {
  program
    .command('receipts')
    .summary('past switchovers, one per line')
    .description('Lists the receipts that the cluster keeps, oldest first.')
    .option('--json', 'print them as a JSON array')
    .addHelpText('after', '\nExample:\n  understudy receipts\n')
    .action((_, command: Command) => perform(command.optsWithGlobals<CommonOptions>(), listReceipts));
  program
    .command('receipt')
    .summary('one switchover in full')
    .description('Shows a receipt: phases, what waited and how long, WAL positions, and how to undo it.')
    .argument('[id]', 'such as R-0142; the last one if left out')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExamples:\n  understudy receipt\n  understudy receipt R-0142 --json\n')
    .action((id: string | undefined, _, command: Command) =>
      perform(command.optsWithGlobals<CommonOptions>(), (call) => showReceipt(call, id)),
    );
}

async function listReceipts(call: Call): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  const receipts = await access.ask((client, asking) => client.receipts(asking));
  if (terminal.json) terminal.printJson(receipts);
  else if (receipts.length === 0) terminal.print('There was no switchover yet.');
  else terminal.print(...columns(receipts.map(receiptRow)));
  return exitCodes.done;
}

async function showReceipt(call: Call, id: string | undefined): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  const receipt =
    id === undefined
      ? (await access.ask((client, asking) => client.receipts(asking))).at(-1)
      : await access.ask((client, asking) => client.receipt(id, asking));
  if (receipt === undefined) {
    throw new UnderstudyError('NOT_FOUND', 'there is no receipt yet', { hint: 'the first switchover writes one' });
  }
  if (terminal.json) terminal.printJson(receipt);
  else terminal.print(...receiptLines(receipt, terminal.paint));
  return exitCodes.done;
}
