/** Work that is done for as long as the agent lives: a turn, a pause, and so on. What a turn throws ends it. */
import type { Clock } from '../ports/clock.ts';

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
