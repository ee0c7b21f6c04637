/**
 * What a pooler is to serve: its aliases, and where each leads. Decided by rules/pooler.ts, written down by the adapter.
 */
import type { ClientPasswordUse } from './pooler-report.ts';
import type { ApplicationName, PoolMode } from './spec.ts';
import type { TlsPolicy } from './tls-policy.ts';

export interface PoolerAlias {
  /** What the application names as its database. */
  readonly name: string;
  readonly application: ApplicationName;
  readonly database: string;
  /** The login role at the server. */
  readonly role: string;
  /** Of its password. */
  readonly generation: number;
  /** Which of its passwords at the pooler the application is told; the one before is good as well. */
  readonly clientPassword: number;
  /** Server addresses, tried in turn; never empty. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly poolSize: number;
  /** Does it lead to the primary? Only these are paused. */
  readonly writes: boolean;
  /** A standby serves it, since nobody may write; it is not paused then. Only where `writes` is true. */
  readonly standsIn: boolean;
  /** It leads to one node, whatever its role: read-only, never paused, and nobody waits for it. Only where `writes` is false. */
  readonly ofOneNode: boolean;
}

export interface PoolerConfiguration {
  readonly listenAddress: string;
  readonly port: number;
  readonly mode: PoolMode;
  readonly maxClients: number;
  readonly queryWaitTimeoutS: number;
  readonly tls: PoolerTls;
  readonly aliases: readonly PoolerAlias[];
}

export interface PoolerTls {
  /** Towards applications that ask for it. */
  readonly clients: TlsPolicy;
  /** Towards PostgreSQL. */
  readonly servers: TlsPolicy;
}

/** Compared as text: both come from the same function, so that equal ones have equal texts. */
export function isSameConfiguration(a: PoolerConfiguration | null, b: PoolerConfiguration | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Those that a pause or a hold shuts. */
export function pausable(aliases: readonly PoolerAlias[]): readonly PoolerAlias[] {
  return aliases.filter(({ writes, standsIn }) => writes && !standsIn);
}

/**
 * What a pooler that has to be started does with its writing aliases: `shut` brings it up paused, so that no client
 * reaches a server before `resume`. A running pooler is left as it is.
 */
export type PoolerGate = 'open' | 'shut';

/**
 * By application, the generation of the credential that all of its server connections are of. `straggling`: aliases with
 * connections that are closed when they are free, since they were made by an earlier configuration. Answers `null` when
 * what the pooler has loaded is not known.
 */
export function credentialsInUse(loaded: Served | null, straggling: readonly string[]): CredentialsInUse | null {
  if (loaded === null) return null;
  const left = new Set(
    loaded.aliases.filter(({ name }) => straggling.includes(name)).map((alias) => alias.application),
  );
  const all = loaded.aliases.filter(({ application }) => !left.has(application));
  return Object.fromEntries(all.map(({ application, generation }) => [application, generation]));
}

/** Of a configuration, whose credentials its aliases bear. */
export interface Served {
  readonly aliases: readonly Pick<PoolerAlias, 'name' | 'application' | 'generation'>[];
}

export type CredentialsInUse = Readonly<Record<ApplicationName, number>>;

/**
 * As whom the application logs in at its pooler. Two take turns: a user of a pooler has one password. No declared name has a dot in
 * it, and every form of a connection takes one as it is.
 */
export function clientUser(application: ApplicationName, generation: number): string {
  return generation % 2 === 1 ? application : `${application}.2`;
}

/** Which password for its clients each application has in this configuration; none while nothing is known of it. */
export function clientPasswordsOf(loaded: PoolerConfiguration | null): Readonly<Record<ApplicationName, number>> {
  return Object.fromEntries((loaded?.aliases ?? []).map((alias) => [alias.application, alias.clientPassword]));
}

/** What a report says of them. `former`: clients connected by the one before. */
export function clientPasswordsInUse(
  told: Readonly<Record<ApplicationName, number>>,
  former: Readonly<Record<ApplicationName, number>>,
): Readonly<Record<ApplicationName, ClientPasswordUse>> {
  const entries = Object.entries(told);
  return Object.fromEntries(
    entries.map(([name, generation]) => [name, { told: generation, former: former[name] ?? 0 }]),
  );
}

/** With 0 for those of `declared` that the pooler has loaded no alias of. */
export function withUnserved(
  inUse: CredentialsInUse,
  loaded: PoolerConfiguration | null,
  declared: readonly ApplicationName[],
): CredentialsInUse {
  const served = new Set(loaded?.aliases.map(({ application }) => application) ?? declared);
  const unserved = declared.filter((application) => !served.has(application));
  return { ...Object.fromEntries(unserved.map((application) => [application, 0])), ...inUse };
}
