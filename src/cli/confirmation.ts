/** Has a person type a word before something is done that can't be taken back. */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';

/**
 * `--yes` answers for scripts. Throws REQUEST_INVALID where nobody can be asked, REFUSED when something else was typed.
 */
export async function confirm(call: Call, question: string, yes: boolean): Promise<void> {
  if (yes) return;
  const { ask } = call.io;
  if (ask === undefined || call.terminal.json) {
    throw new UnderstudyError('REQUEST_INVALID', 'this has to be confirmed, and nobody can be asked here', {
      hint: 'give --yes if you are sure',
    });
  }
  const answer = await ask(`${question} Type yes to go on: `, call.signal);
  if (answer.trim() !== 'yes') throw new UnderstudyError('REFUSED', 'not confirmed');
}
