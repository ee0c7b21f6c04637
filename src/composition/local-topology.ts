/**
 * Lets an app node's agent tell applications of its host where the primary is, and goes on trying while it can't listen.
 *
 * Invariant: nothing of it ends the agent; what keeps it from listening is told as trouble.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LocalTopologySource } from '../api/contract/local-topology.ts';
import { LocalTopologyServer } from '../api/local-topology.ts';
import { describeError } from '../errors/understudy-error.ts';

const againAfterMs = 2_000;

export interface LocalTelling {
  readonly trouble: string | null;
  close(): Promise<void>;
}

export function tellLocally(source: LocalTopologySource, socket: string): LocalTelling {
  const server = new LocalTopologyServer(source);
  const ended = new AbortController();
  const { signal } = ended;
  let trouble: string | null = null;
  const listen = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await server.listen(socket);
        trouble = null;
        return;
      } catch (error) {
        trouble = `applications are not told of the topology: ${describeError(error)}`;
      }
      await delay(againAfterMs, undefined, { signal }).catch(() => undefined);
    }
  };
  const listening = listen();
  return {
    get trouble() {
      return trouble;
    },
    async close() {
      ended.abort();
      await listening;
      await server.close();
    },
  };
}
