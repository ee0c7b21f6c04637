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
  readonly api: {
    readonly address: string;
    readonly port: number;
    /** Where new nodes enrol, on database nodes; left out: two above `port`. */
    readonly enrolmentPort?: number | undefined;
  };
  readonly directories: {
    /** PostgreSQL's data directory. */
    readonly data: string;
    /** Sockets and pid files; short, since a socket's path may have 107 bytes at most. */
    readonly run: string;
    readonly log: string;
    /** What the agent keeps: pooler configuration, its clients' passwords, journals. */
    readonly state: string;
    /** Files for applications, a directory for each; left out: `/etc/understudy/apps`. Only app nodes have any. */
    readonly apps?: string | undefined;
    /** Own certificates, a directory for each; left out: `certificates` in the state directory. */
    readonly certificates?: string | undefined;
  };
  readonly tls: {
    /** CA bundle, this node's certificate (server and client use) and its key. */
    readonly ca: string;
    readonly certificate: string;
    readonly key: string;
    /**
     * What is sealed to this node opens with this key: a second, long-lived one (adr/0026). Left out on a node that was
     * set up before there was any: nothing can be sealed to it.
     */
    readonly sealing?: { readonly certificate: string; readonly key: string } | undefined;
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
    /**
     * What the store's member on this host shows, if there is one whose certificate the agent shall renew; etcd reads it anew
     * for each connection. May be one file, as everywhere.
     */
    readonly server?: { readonly certificate: string; readonly key: string } | undefined;
  } | null;
  /** Where app nodes find database agents before they know the topology; may be empty on database nodes. */
  readonly databaseAgents: readonly { readonly node: string; readonly address: string }[];
  /** `null`: found by the major version, or on the PATH. */
  readonly binaries: { readonly postgres: string | null; readonly pgbouncer: string | null };
  readonly pooler: {
    readonly listenAddress: string;
    /** Addresses beside the node's own from which clients may come in plain text, such as 10.0.0.9/32; others use TLS. */
    readonly plainFrom?: readonly string[];
  };
  /**
   * A hardware watchdog that the fence arms while this node is primary (adr/0008), such as `/dev/watchdog`; the agent's
   * user must be able to write to it. Left out or `null`: none.
   */
  readonly watchdog?: string | null;
  /**
   * How much WAL that diverged is kept in the state directory, in MiB, and for how many days (core/kept-wal.ts). Left out or
   * `null`: 4 GiB, 30 days.
   */
  readonly divergedWal?: { readonly maxMb: number; readonly keepDays: number } | null;
}

/** Where an app node's agent writes the files by which applications connect. */
export function applicationsDirectory({ directories }: Pick<NodeFile, 'directories'>): string {
  return directories.apps ?? '/etc/understudy/apps';
}

/** Where an app node's agent tells applications of the topology: beside the pooler's socket, with a shorter name than that. */
export function topologySocket({ directories }: Pick<NodeFile, 'directories'>): string {
  return `${directories.run}/topology.sock`;
}

/** Where the agent writes own certificates. */
export function certificatesDirectory({ directories }: Pick<NodeFile, 'directories'>): string {
  return directories.certificates ?? `${directories.state}/certificates`;
}

/** The agent's port on every node, unless the node file says otherwise. */
export const defaultApiPort = 7432;

/** Beside it on database nodes: for nodes whose certificates have expired. */
export function latePort(apiPort: number): number {
  return apiPort + 1;
}

/** On database nodes, too: for new nodes, which have no certificate yet. */
export function enrolmentPort({ port, enrolmentPort }: { port: number; enrolmentPort?: number | undefined }): number {
  return enrolmentPort ?? port + 2;
}
