/**
 * The node file: what an agent must know before it can ask anybody, `/etc/understudy/node.yaml` on a server. A stage
 * writes the same file with its directories moved; the agent can't tell the difference.
 */
export interface NodeFile {
  readonly cluster: string;
  readonly domain: string;
  readonly node: string;
  readonly role: 'database' | 'app' | 'witness';
  /** Where the agent's API listens; database nodes listen for everyone, app nodes only for health and operators. */
  readonly api: { readonly address: string; readonly port: number };
  readonly directories: {
    /** PostgreSQL's data directory. */
    readonly data: string;
    /** Sockets and pid files; short, since a socket's path may have 107 bytes at most. */
    readonly run: string;
    readonly log: string;
    /** What the agent keeps: pooler configuration, application credentials, journals. */
    readonly state: string;
  };
  readonly tls: {
    /** CA bundle, this node's certificate (server and client use) and its key. */
    readonly ca: string;
    readonly certificate: string;
    readonly key: string;
  };
  /** `null` on app nodes: they hold no store credentials. */
  readonly store: {
    readonly endpoints: readonly string[];
    readonly ca: string;
    /** A certificate without a common name: etcd's gateway refuses any other. */
    readonly certificate: string;
    readonly key: string;
    readonly user: string;
    readonly passwordFile: string;
  } | null;
  /** Where app nodes find database agents before they know the topology; may be empty on database nodes. */
  readonly databaseAgents: readonly { readonly node: string; readonly address: string }[];
  /** `null`: found by the major version, or on the PATH. */
  readonly binaries: { readonly postgres: string | null; readonly pgbouncer: string | null };
  readonly pooler: { readonly listenAddress: string };
  /**
   * A hardware watchdog that the fence arms while this node is primary (adr/0008), such as `/dev/watchdog`; the agent's
   * user must be able to write to it. Left out or `null`: none.
   */
  readonly watchdog?: string | null;
}

/** The agent's port on every node, unless the node file says otherwise. */
export const defaultApiPort = 7432;
