/**
 * What a database node's agent does about the past: it ends the instances whose time is over, and what a command that died left half made
 * (past/ending.ts). It opens none.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toldOnce } from '../agent/told-once.ts';
import { takeTurns } from '../agent/turns.ts';
import { describeError } from '../errors/understudy-error.ts';
import { sweep } from '../past/ending.ts';
import { openScratch } from '../past/scratch.ts';
import type { Foundation } from './foundation.ts';

const lookEveryMs = 60_000;

export async function sweepThePast(
  { clock, file, log }: Pick<Foundation, 'clock' | 'file' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  const { run, state } = file.directories;
  const directory = join(state, 'past');
  const tell = toldOnce((error) => log.warn({ error }, 'what is left of the past could not be ended'));
  await takeTurns({ clock, signal }, lookEveryMs, async () => {
    try {
      const swept = existsSync(directory) ? await sweep({ scratch: openScratch(directory), run, clock }) : [];
      for (const { because, id } of swept) log.info({ id, because }, 'an instance of the past was ended');
      tell(null);
    } catch (error) {
      // A disk or a process that does not yield costs nothing else of the agent.
      tell(describeError(error));
    }
  });
}
