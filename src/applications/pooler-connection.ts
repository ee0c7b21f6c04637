/** What the agent of an app node writes for each application in its connection.json, but for the password. */
import { z } from 'zod';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';

const text = z.string().min(1);

const schema = z.object({
  host: text,
  port: z.int().min(1).max(65_535),
  socketDirectory: text,
  user: text,
  passfile: text,
  /** The alias that reaches the primary, and the one that reaches the standbys. */
  write: text.nullable(),
  read: text.nullable(),
  /** By database node: the alias that reaches that one. An agent of an earlier version names none. */
  nodes: z.record(text, text).default({}),
  /** The socket by which the agent tells where the primary is; likewise. */
  topology: text.nullable().default(null),
});

export type PoolerConnection = z.infer<typeof schema>;

/** The alias of one node; `null`: there is none. */
export function aliasOfNode({ nodes }: Pick<PoolerConnection, 'nodes'>, node: string): string | null {
  return (Object.hasOwn(nodes, node) ? nodes[node] : null) ?? null;
}

/** Throws CONFIG_INVALID. */
export function readPoolerConnection(content: string, file: string): PoolerConnection {
  try {
    return schema.parse(JSON.parse(content));
  } catch (error) {
    throw new UnderstudyError('CONFIG_INVALID', `${file} is not what an agent writes: ${describeError(error)}`);
  }
}

/**
 * As libpq reads it (documentation 34.1.1.2 "Connection URIs"). Without TLS: the pooler is on the application's own host.
 */
export function connectionUri({ host, passfile, port, user }: PoolerConnection, database: string): string {
  const hostPart = host.includes(':') ? `[${host}]` : encodeURIComponent(host);
  const parameters = `passfile=${encodeURIComponent(passfile)}&sslmode=disable`;
  return `postgresql://${encodeURIComponent(user)}@${hostPart}:${port}/${encodeURIComponent(database)}?${parameters}`;
}
