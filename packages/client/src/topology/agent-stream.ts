/**
 * Follows what the agent of this host says of the cluster, on its Unix socket.
 *
 * Invariant: what is told is the last whole line that could be read. When the agent is silent for longer than its heartbeat
 * allows, or gone, that is told as well, and it is asked again, more and more seldom. Keeps no process alive.
 */
import { request } from 'node:http';
import { type Backoff, fullJitterMs } from '../timing/backoff.ts';
import type { Runtime } from '../timing/runtime.ts';
import type { LocalTopology } from '../wire/local-topology.ts';
import { parseLocalTopology } from '../wire/parse-local-topology.ts';

export interface AgentStreamOptions {
  readonly socketPath: string;
  readonly runtime: Runtime;
  /** `null`: nothing is known from this source any more. */
  readonly heard: (said: LocalTopology | null) => void;
}

/** Agents say something each second. */
const silenceMs = 3_500;
const backoff: Backoff = { baseMs: 100, capMs: 2_000 };
/** Of one line: a cluster of hundreds of nodes stays far below. */
const longestLine = 1 << 20;

export class AgentStream {
  readonly #options: AgentStreamOptions;
  readonly #stopping = new AbortController();

  constructor(options: AgentStreamOptions) {
    this.#options = options;
  }

  /** Follows until `stop`. Never rejects. */
  async run(): Promise<void> {
    const { heard, runtime } = this.#options;
    for (let failed = 1; !this.#stopping.signal.aborted; failed += 1) {
      await this.#follow(() => {
        failed = 0;
      });
      if (this.#stopping.signal.aborted) return;
      heard(null);
      await idle(fullJitterMs(backoff, failed, runtime.draw()), this.#stopping.signal);
    }
  }

  stop(): void {
    this.#stopping.abort();
  }

  #follow(succeeded: () => void): Promise<void> {
    return new Promise((resolve) => {
      const { socketPath, heard } = this.#options;
      const asked = request({ socketPath, path: '/v1/topology/stream', signal: this.#stopping.signal });
      asked.setTimeout(silenceMs, () => asked.destroy());
      asked.on('socket', (socket) => socket.unref());
      asked.on('error', () => resolve());
      asked.on('response', (response) => {
        let rest = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop() ?? '';
          const said = lines.map(readLine).findLast((line) => line !== null);
          if (said === undefined || said === null) {
            if (rest.length > longestLine) asked.destroy();
            return;
          }
          succeeded();
          heard(said);
        });
        response.on('close', () => resolve());
        response.on('error', () => resolve());
      });
      asked.end();
    });
  }
}

function readLine(line: string): LocalTopology | null {
  try {
    return parseLocalTopology(JSON.parse(line));
  } catch {
    return null;
  }
}

function idle(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms).unref();
    signal.addEventListener('abort', end, { once: true });
  });
}
