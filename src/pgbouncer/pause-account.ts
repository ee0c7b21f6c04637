/**
 * Keeps the account of one pause: since when, who waited when the drain was over, who is left afterwards.
 *
 * Invariant: nothing on the path of a move waits for it. What could not be seen stays 0; nothing else rests on it.
 */
import type { PauseFigures } from '../core/pooler-report.ts';
import type { PoolerConfiguration } from '../ports/pooler.ts';
import type { Consoles } from './consoles.ts';
import { applicationFigures } from './pause-figures.ts';
import { type ClientSample, type PoolState, sampleClients, showPools } from './views.ts';

const sampling = { withinMs: 2_000 };

interface Pause {
  readonly sinceMs: number;
  atDrain: ClientSample | null;
}

/** Of a pause that is ending; `figures` when every alias leads where it should. */
export interface EndingPause {
  figures(configuration: PoolerConfiguration): Promise<Omit<PauseFigures, 'operation' | 'drainMs'>>;
}

export class PauseAccount {
  #pause: Pause | null = null;

  /** The drain is over; `sinceMs` of performance.now(). One that was begun again counts from its first beginning. */
  drained(consoles: Consoles, aliases: readonly string[], sinceMs: number): void {
    const pause: Pause = { sinceMs: this.#pause?.sinceMs ?? sinceMs, atDrain: null };
    this.#pause = pause;
    sample(consoles, aliases).then((found) => {
      pause.atDrain = found;
    }, unseen);
  }

  /** Before the first alias is resumed. Asked by a connection that nothing on the path waits for. */
  ending(consoles: Consoles, aliases: readonly string[]): EndingPause {
    const pools = queue(consoles, aliases).catch((): readonly PoolState[] => []);
    return {
      figures: async (configuration) => {
        const pause = this.#pause;
        const pausedMs = pause === null ? 0 : performance.now() - pause.sinceMs;
        const atDrain = pause?.atDrain ?? null;
        const after = atDrain === null ? null : await sample(consoles, aliases).catch(unseen);
        return { pausedMs, applications: applicationFigures(configuration, await pools, atDrain, after) };
      },
    };
  }

  /** There is no pause any more, whatever became of it. */
  forget(): void {
    this.#pause = null;
  }
}

async function queue(consoles: Consoles, [alias]: readonly string[]): Promise<readonly PoolState[]> {
  return alias === undefined ? [] : await showPools(await consoles.forPausing(alias, sampling), sampling);
}

async function sample(consoles: Consoles, [alias]: readonly string[]): Promise<ClientSample> {
  const console = await (alias === undefined ? consoles.main(sampling) : consoles.forPausing(alias, sampling));
  return await sampleClients(console, sampling);
}

function unseen(): null {
  return null;
}
