/** What a database node's agent asks another one, over its API. */
import type { PeerAgent } from '../agent/peers.ts';
import type { PrimaryAgent } from '../agent/standby-passage.ts';
import { checkpointWithinMs } from '../agent/switchover-start.ts';
import type { AgentClient } from '../api/client.ts';
import type { Orderer, Person } from '../api/contract/identities.ts';

export function peerAgent(known: AgentClient): PeerAgent {
  return {
    switchover: (request, by, signal) => known.switchover(request, { onBehalfOf: personIn(by), signal }),
    cancel: (operation, by) => known.cancel(operation, { onBehalfOf: personIn(by) }),
    checkpoint: (signal) => known.checkpoint({ signal, withinMs: checkpointWithinMs }),
  };
}

/** For a backup that this node makes as a standby. */
export function primaryAgent(known: AgentClient): PrimaryAgent {
  return {
    checkpoint: (signal) => known.checkpoint({ signal, withinMs: checkpointWithinMs }),
    hear: async (withinMs, signal) => void (await known.health({ withinMs, signal })),
    dial: (version, signal) => known.backupPassage(version, { signal }),
  };
}

/** What an agent wants of its own accord it asks for in its own name. */
function personIn(by: Orderer): Person | undefined {
  return by.kind === 'agent' ? undefined : by;
}
