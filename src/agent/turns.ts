/** Work that is done for as long as the agent lives: a turn, a pause, and so on. What a turn throws ends it. */
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { toldOnce } from './told-once.ts';

export interface TurnParts {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly signal: AbortSignal;
}

/** Ends with the signal, at the end of a turn or in the middle of a pause; `pauseMs` lies between two turns. */
export async function takeTurns(
  { clock, signal }: TurnParts,
  pauseMs: number,
  turn: () => Promise<unknown>,
): Promise<void> {
  while (!signal.aborted) {
    await turn();
    await clock.sleep(pauseMs, signal).catch(() => undefined);
  }
}

/** Most turns have nothing to do, and say nothing of whether what failed would succeed now. */
const forgottenAfterMs = 600_000;

/** As `takeTurns`; an UnderstudyError of a turn ends nothing, and is told when it is another one than the last of these minutes. */
export async function takeTurnsTelling(
  parts: TurnParts & { readonly warn: (text: string) => void },
  pauseMs: number,
  turn: () => Promise<unknown>,
): Promise<void> {
  const tell = toldOnce(parts.warn);
  let quietMs = 0;
  await takeTurns(parts, pauseMs, async () => {
    try {
      await turn();
      quietMs += pauseMs;
      if (quietMs >= forgottenAfterMs) tell(null);
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
      quietMs = 0;
      if (!parts.signal.aborted) tell(describeError(error));
    }
  });
}
