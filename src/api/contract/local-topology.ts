/** What an app node's agent tells the applications of its own host (api/local-topology.ts). */
import type { LocalTopology } from '@understudy/client/topology';

export interface LocalTopologySource {
  current(): LocalTopology;
  /** Calls back at each change but those of ages and lags. Answers how to end that. */
  onChange(listener: () => void): () => void;
}
