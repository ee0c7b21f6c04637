/** Carries out `apply --revert` and `apply --drop`: orders about single things in the databases, to the primary's agent. */
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';
import { primaryOf } from './database-drift.ts';

const orderWithinMs = 65_000;

/** `name: null`: everything. Throws NOT_FOUND. */
export async function revert(call: Call, name: string | null): Promise<number> {
  const access = await call.cluster();
  const primary = await primaryOf(access);
  const answer = await access.askNode(
    primary,
    (client, asking) => client.revertDatabases({ name }, asking),
    orderWithinMs,
  );
  if (call.terminal.json) call.terminal.printJson({ because: answer.because });
  else call.terminal.print(answer.because);
  return exitCodes.done;
}

/** `yes`: the name once more, for scripts. Throws REQUEST_INVALID, REFUSED, NOT_FOUND. */
export async function drop(call: Call, name: string, yes: string | undefined): Promise<number> {
  const access = await call.cluster();
  const primary = await primaryOf(access);
  await retype(call, name, yes);
  const dropped = await access.askNode(
    primary,
    (client, asking) => client.dropDatabase({ name }, asking),
    orderWithinMs,
  );
  if (call.terminal.json) {
    call.terminal.printJson(dropped);
    return exitCodes.done;
  }
  call.terminal.print(`The database ${name} and its data are gone.`);
  if (dropped.roles.length > 0) call.terminal.print(`So are the roles ${dropped.roles.join(', ')}.`);
  for (const role of dropped.kept) call.terminal.note(`the role ${role} stays: it has something in another database`);
  return exitCodes.done;
}

async function retype(call: Call, name: string, yes: string | undefined): Promise<void> {
  const { ask } = call.io;
  if (yes === undefined && (ask === undefined || call.terminal.json)) {
    throw new UnderstudyError('REQUEST_INVALID', 'this has to be confirmed, and nobody can be asked here', {
      hint: `give --yes ${name} if you are sure`,
    });
  }
  const question = `All data of ${name} will be gone for good. Type its name to go on: `;
  const typed = yes ?? (await ask?.(question, call.signal)) ?? '';
  if (typed.trim() !== name) throw new UnderstudyError('REFUSED', `not confirmed: that is not ${name}`);
}
