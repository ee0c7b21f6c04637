/**
 * How an app node's agent reaches the database agents: it follows their topology and reports to them. What it does with
 * either is not known here (see agent/app-node.ts, whose interfaces these are).
 *
 * Invariant: a new certificate of this node is used from the next connection on, and drops none that is open.
 */
import type { PoolerReport } from '../core/pooler-report.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { Credentials } from '../pki/credential-files.ts';
import { type AgentClient, createAgentClient } from './client.ts';
import type { TopologyMessage } from './contract.ts';

/** A database node's agent, as the topology's configuration names it. */
export interface LinkedAgent {
  readonly node: string;
  readonly address: string;
  readonly hostName: string;
}

export interface LinkOptions {
  readonly cluster: string;
  /** Where every agent listens. */
  readonly port: number;
  /** The credentials of now; the same object as long as they are the same. */
  readonly credentials: () => Credentials;
}

export interface TopologySource {
  follow(
    agent: LinkedAgent,
    onMessage: (message: TopologyMessage) => void,
    onBreak: (because: string) => void,
    signal: AbortSignal,
  ): void;
}

export interface PoolerReporter {
  report(
    agent: LinkedAgent,
    report: PoolerReport,
    options: { readonly withinMs: number; readonly signal?: AbortSignal },
  ): Promise<void>;
  close(): void;
}

/** Connects once per call; `onBreak` is called once, and not after the signal. */
export function topologySource(options: LinkOptions): TopologySource {
  const run = async (
    agent: LinkedAgent,
    onMessage: (message: TopologyMessage) => void,
    signal: AbortSignal,
  ): Promise<void> => {
    const client = clientFor(agent, options, options.credentials());
    try {
      await client.followTopology(onMessage, signal);
    } finally {
      client.close();
    }
  };
  return {
    follow(agent, onMessage, onBreak, signal) {
      run(agent, onMessage, signal).catch((error: unknown) => {
        if (!signal.aborted) onBreak(describeError(error));
      });
    },
  };
}

/** Keeps a connection to each agent, so that a report costs one exchange and no handshake. */
export function poolerReporter(options: LinkOptions): PoolerReporter {
  const kept = new Map<
    string,
    { readonly agent: LinkedAgent; readonly tls: Credentials; readonly client: AgentClient }
  >();
  const clientOf = (agent: LinkedAgent): AgentClient => {
    const tls = options.credentials();
    const known = kept.get(agent.node);
    if (known?.tls === tls && known.agent.address === agent.address && known.agent.hostName === agent.hostName) {
      return known.client;
    }
    const client = clientFor(agent, options, tls);
    known?.client.close();
    kept.set(agent.node, { agent, tls, client });
    return client;
  };
  return {
    async report(agent, report, asked) {
      await clientOf(agent).report(report, asked);
    },
    close() {
      for (const { client } of kept.values()) client.close();
      kept.clear();
    },
  };
}

function clientFor(agent: LinkedAgent, { cluster, port }: LinkOptions, tls: Credentials): AgentClient {
  return createAgentClient({ ...agent, cluster, port, tls });
}
