/**
 * How an app node's agent reaches the database agents: it follows their topology and reports to them. What it does with
 * either is not known here (see agent/app-node.ts, whose interfaces these are).
 *
 * Invariant: a new certificate of this node is used from the next connection on, and drops none that is open.
 */
import type { PoolerReport } from '../core/pooler-report.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Credentials } from '../pki/credential-files.ts';
import type { RevokedSerials } from '../ports/revoked.ts';
import { type AgentClient, createAgentClient } from './client.ts';
import type { TopologyMessage } from './contract/app-nodes.ts';

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
  /** Agents that show one of these are not heard; left out: none. */
  readonly revoked?: Pick<RevokedSerials, 'has' | 'onChange'> | undefined;
  /** Calls back when there are others. */
  readonly onRenewal?: (listener: () => void) => () => void;
}

export interface TopologySource {
  follow(
    agent: LinkedAgent,
    onMessage: (message: TopologyMessage) => void,
    onBreak: (because: string, isStranger: boolean) => void,
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

/**
 * Connects once per call; `onBreak` is called once, and not after the signal. With new credentials another stream takes the
 * place of the one that runs, once it has spoken: the agent would end this one together with its certificate.
 */
export function topologySource(options: LinkOptions): TopologySource {
  const run = async (
    agent: LinkedAgent,
    onMessage: (message: TopologyMessage) => void,
    signal: AbortSignal,
  ): Promise<void> => {
    const client = clientFor(agent, options);
    try {
      await client.followTopology(onMessage, signal);
    } finally {
      client.close();
    }
  };
  return {
    follow(agent, onMessage, onBreak, signal) {
      let current: AbortController | null = null;
      let isOver = false;
      const begin = (): void => {
        const own = new AbortController();
        const end = (): void => own.abort();
        signal.addEventListener('abort', end, { once: true });
        const pass = (message: TopologyMessage): void => {
          if (own.signal.aborted) return;
          if (current !== own) {
            const former = current;
            current = own;
            former?.abort();
          }
          onMessage(message);
        };
        current ??= own;
        run(agent, pass, own.signal)
          .catch((error: unknown) => {
            // One that did not come up leaves the one before it as it is.
            if (own.signal.aborted || current !== own || isOver) return;
            isOver = true;
            forget();
            onBreak(describeError(error), isUnderstudyError(error, 'FORBIDDEN'));
          })
          .finally(() => signal.removeEventListener('abort', end));
      };
      const forget = options.onRenewal?.(begin) ?? (() => undefined);
      signal.addEventListener('abort', forget, { once: true });
      if (signal.aborted) forget();
      begin();
    },
  };
}

/** Keeps a connection to each agent, so that a report costs one exchange and no handshake. */
export function poolerReporter(options: LinkOptions): PoolerReporter {
  const kept = new Map<string, { readonly agent: LinkedAgent; readonly client: AgentClient }>();
  const clientOf = (agent: LinkedAgent): AgentClient => {
    const known = kept.get(agent.node);
    if (known !== undefined && known.agent.address === agent.address && known.agent.hostName === agent.hostName) {
      return known.client;
    }
    const client = clientFor(agent, options);
    known?.client.close();
    kept.set(agent.node, { agent, client });
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

function clientFor(agent: LinkedAgent, { cluster, port, credentials, revoked }: LinkOptions): AgentClient {
  return createAgentClient({ ...agent, cluster, port, tls: credentials, revoked });
}
