/**
 * The cluster file, version 1: its keys, short forms and descriptions. Strict: a key that isn't here is refused.
 *
 * Descriptions become the JSON schema and must stand in docs/config.md. Defaults are `normalise.ts`'s, cross-field
 * rules `agreement.ts`'s.
 */
import { z } from 'zod';
import { tlsPolicies, tlsServices } from '../core/tls-policy.ts';
import { backups } from './backup-keys.ts';
import * as words from './words.ts';

const mebibyte = 1024 ** 2;
const dayMs = 86_400_000;

/** An absent value (`witness:`) is an absent key. */
function optional<T extends z.ZodType>(type: T) {
  return type.nullish();
}

const plainNode = {
  address: words.address.describe('The address that the other nodes reach it by, IPv4 or IPv6; never a name'),
  datacenter: words.datacenterName
    .nullable()
    .optional()
    .describe('Its datacenter; by default the part of its name after the first dot, if that is a declared datacenter'),
  purpose: optional(words.freeText).describe('What it is for, for people'),
  contact: optional(words.freeText).describe('Whom to ask about it'),
  roles: optional(z.array(words.roleName).max(64, 'has too many roles. At most 64')).describe(
    'What it serves as, for own certificates, such as [web]',
  ),
};

const databaseNode = z.strictObject({
  ...plainNode,
  priority: optional(words.wholeNumber(0, 1_000)).describe(
    'Higher is preferred as primary among equals; 100 by default',
  ),
  failover: optional(z.enum(['allowed', 'never'])).describe('Whether it may ever become primary; allowed by default'),
  delay: optional(words.duration(1_000, 24 * dayMs)).describe(
    'How much later it replays each commit, such as 4h; such a node is never primary and serves no reads',
  ),
});
const otherNode = z.strictObject(plainNode);

function nodesOf<T extends z.ZodType>(node: T, description: string) {
  return optional(
    z.record(
      words.nodeName,
      z.union([words.address, node], `can't stand here. An address, or a map with the key 'address'`),
    ),
  ).describe(description);
}

const parameterValue = z.union(
  [
    z
      .string()
      // A tab may be meant, as in log_line_prefix.
      .regex(/^(?:\t|\P{Cc}){0,1000}$/u, 'has control characters or is too long. One line of at most 1000 characters'),
    z.number(),
    z.boolean(),
  ],
  `can't stand here. A text, a number, true or false`,
);

const accessRule = z.strictObject({
  user: words.identifier,
  database: z.union([z.enum(['all', 'postgres']), words.identifier], `can't stand here. A database, or all`),
  from: optional(words.network),
  method: optional(z.enum(['scram-sha-256', 'cert', 'peer'])),
});

const postgres = z.strictObject({
  version: words.wholeNumber(13, 18).describe('The major version, from 13 to 18'),
  port: optional(words.port).describe('The port of every server; 5432 by default'),
  data: optional(words.absolutePath).describe(
    'The data directory on every database node; by default the node file names it',
  ),
  binaries: optional(words.absolutePath).describe('The directory of the programs; by default found by the version'),
  parameters: optional(z.record(z.string(), parameterValue)).describe(
    'Parameters of postgresql.conf, over the defaults; those that Understudy sets itself are refused',
  ),
  wal_budget: optional(words.size(64 * mebibyte, 1024 ** 4 * 1_000, mebibyte)).describe(
    'How much WAL one standby may make the primary keep (max_slot_wal_keep_size); 8GB by default',
  ),
  hba: optional(z.array(accessRule)).describe(
    'Who else may connect: user, database, from (address or network), method (scram-sha-256, cert; without from: peer)',
  ),
});

const poolers = z.strictObject({
  port: optional(words.port).describe('The port on which applications reach their pooler; 6432 by default'),
  mode: optional(z.enum(['transaction', 'session'])).describe(
    'When a server connection is given back; transaction by default',
  ),
  pool_size: optional(words.wholeNumber(1, 10_000)).describe(
    'Server connections per application and alias; 20 by default',
  ),
  max_clients: optional(words.wholeNumber(1, 100_000)).describe('Client connections per pooler; 200 by default'),
  query_wait_timeout: optional(words.duration(1_000, dayMs, { wholeSeconds: true })).describe(
    'How long a client waits for a server connection before it gets an error; 120s by default',
  ),
});

const endpointHint = `is no endpoint. 'https://' with address and port, such as https://10.0.1.10:2379`;
const store = z.strictObject({
  kind: optional(z.literal('etcd')).describe('The kind of store; etcd'),
  endpoints: optional(
    z
      .array(z.url({ protocol: /^https$/, error: endpointHint }).regex(/^https:\/\/[^/?#@]+$/, endpointHint))
      .min(1, 'is empty. At least one endpoint')
      .max(9, 'has too many endpoints. Three or five members are enough'),
  ).describe('Where the store listens; by default port 2379 on the first three database and witness nodes'),
  ca: optional(words.absolutePath).describe(
    `The CA of the store's certificates, on every database node; by default the cluster's own`,
  ),
});

const database = z.strictObject({
  owner: optional(words.identifier).describe('The role that owns it; the same name by default'),
  encoding: optional(words.encoding).describe(`Its encoding, for good; the server's own, UTF8, by default`),
  locale: optional(words.locale).describe(`Its collation and character types, for good; the server's own by default`),
  extensions: optional(z.array(words.extension)).describe(
    'Extensions that it is to have; their packages must be there',
  ),
  connection_limit: optional(words.wholeNumber(1, 100_000)).describe(
    'How many connections it takes; no limit by default',
  ),
  settings: optional(z.record(z.string(), parameterValue)).describe('What its sessions begin with, by parameter'),
});

const applicationFiles = z.strictObject({
  owner: optional(words.accountName).describe(`A user of its nodes; the agent's own by default`),
  group: optional(words.accountName).describe(`A group of its nodes; the agent's own by default`),
  mode: optional(words.secretFileMode).describe('0400, 0440, 0600 or 0640; 0600 by default'),
});

const application = z.strictObject({
  nodes: z
    .array(words.nodeName)
    .min(1, 'is empty. At least one app node')
    .describe('The app nodes it runs on; short names will do'),
  database: optional(words.identifier).describe('Its database; the one of the same name by default'),
  rights: optional(z.enum(['owner', 'rw', 'ro'])).describe(
    'owner acts as the owner of the database, rw reads and writes, ro only reads; rw by default',
  ),
  pool_size: optional(words.wholeNumber(1, 10_000)).describe(`Server connections per alias; the poolers' by default`),
  outage: optional(z.enum(['hold', 'read_only'])).describe(
    'While nobody accepts writes: hold makes writers wait, read_only lets them read from a standby; hold by default',
  ),
  files: optional(applicationFiles).describe('Who may read the files by which it connects'),
  rotate: optional(words.duration(60_000, 366 * dayMs)).describe(
    'How old its credentials at the servers become before others are made, such as 30d; by default only on order',
  ),
});

const acceptLoss = z.strictObject({
  accept_loss_after: words
    .duration(10_000, 7 * dayMs)
    .describe('Go on after so long without a primary, and without what only unheard nodes may have'),
});

const durability = z.strictObject({
  commit: optional(z.enum(['local', 'sync'])).describe(
    'What a transaction waits for that asks for nothing: local, its own disk; sync, standbys too; local by default',
  ),
  k: optional(words.wholeNumber(1, 8)).describe('How many standbys a replicated commit waits for; 1 by default'),
  without_standby: optional(z.enum(['wait', 'degrade'])).describe(
    'What replicated commits do with fewer than k standbys there: wait, or go on unreplicated; wait by default',
  ),
  unheard: optional(
    z.union([z.literal('wait'), acceptLoss], `can't stand here. wait, or a map with the key 'accept_loss_after'`),
  ).describe('What an election does that hears too few standbys: wait, by default, or accept a loss after a time'),
});

const failover = z.strictObject({
  loss_limit: optional(
    z.union(
      [z.literal('unlimited'), words.size(0, 1024 ** 4, 1)],
      `can't stand here. A size such as 16MB, or unlimited`,
    ),
  ).describe('Who is known to lack more takes over by no failover; 16MB by default, with commit: sync unlimited'),
});

const timeout = () => optional(words.duration(100, 3_600_000));
const switchover = z.strictObject({
  drain_timeout: timeout().describe(
    'How long the poolers may take to drain before everything is undone; 10s by default',
  ),
  stop_timeout: timeout().describe('How long the primary may take to stop; 10s by default'),
  promote_timeout: timeout().describe('How long the target may take to become writable; 10s by default'),
  long_transaction: timeout().describe('A transaction older than this blocks a switchover; 5s by default'),
  max_lag: optional(words.size(0, 1024 ** 4, 1)).describe(
    'How far the target may be behind at the start; 16MB by default',
  ),
});

const lease = z.strictObject({
  ttl: optional(words.duration(2_000, 300_000)).describe(
    'How long one renewal of the primary is good for; 6s by default',
  ),
});

const tlsException = z.strictObject({
  policy: z.enum(tlsPolicies).describe('The policy of this service'),
  because: words.freeText.describe('Who needs it, and until when'),
});

const tls = z.strictObject({
  life: optional(words.duration(120_000, 398 * dayMs)).describe(
    'How long a certificate of a node is good for; the agents renew it after two thirds; 7d by default',
  ),
  policy: optional(z.enum(tlsPolicies)).describe(
    'modern: TLS 1.3 alone; compatible: TLS 1.2 with ephemeral keys, too; modern by default',
  ),
  exceptions: optional(
    z.partialRecord(z.enum(tlsServices, 'is no service. postgresql, pooler, api or store'), tlsException),
  ).describe('Services with another policy, by name: postgresql, pooler, api, store'),
});

const ownCertificate = z.strictObject({
  days: optional(words.wholeNumber(1, 398)).describe('How long it is good for; 7 by default'),
  life: optional(words.duration(120_000, 398 * dayMs)).describe('The same as a duration, such as 36h, instead of days'),
  roles: z
    .array(words.roleName)
    .min(1, 'is empty. At least one role of nodes')
    .max(64, 'has too many roles. At most 64')
    .describe('The nodes of these roles have it'),
  reload: optional(words.reloadHook).describe(
    'What takes up a new one: a program with its arguments, or the path of a local one; nobody by default',
  ),
  files: optional(applicationFiles).describe('Who may read its files with the key'),
});

const datacenter = z.strictObject({
  provider: optional(words.freeText).describe('Who runs it'),
  region: optional(words.freeText).describe(`The provider's name for the place`),
});

export const clusterFile = z
  .strictObject({
    version: optional(z.literal(1)).describe('The version of this format; 1'),
    cluster: words.clusterName.describe('The name of the cluster; it never changes'),
    domain: words.domainName.describe(`The domain that completes the nodes' names, for certificates; it never changes`),
    contact: optional(words.freeText).describe('Whom to ask about the cluster'),
    datacenters: optional(z.record(words.datacenterName, datacenter.nullable())).describe('The datacenters, by name'),
    nodes: z
      .strictObject({
        database: nodesOf(databaseNode, 'The servers that run PostgreSQL; the first one initialises the cluster'),
        witness: nodesOf(otherNode, 'Servers that only vote in the store'),
        app: nodesOf(otherNode, 'Servers that run applications, each with a pooler'),
      })
      .describe('The servers, by role and name: an address, or a map'),
    postgres: z
      .union(
        [postgres.shape.version, postgres],
        `can't stand here. A major version such as 17, or a map with the key 'version'`,
      )
      .describe('The major version, or a map'),
    databases: optional(
      z.record(
        words.identifier,
        z
          .union([words.identifier, database], `can't stand here. The owner's name, or a map with the key 'owner'`)
          .nullable(),
      ),
    ).describe('The databases, by name: the owner, or a map'),
    applications: optional(z.record(words.identifier, application)).describe(
      'Who may use which database, and from where',
    ),
    poolers: optional(poolers).describe('The poolers on the app nodes'),
    store: optional(store).describe('Where the cluster keeps what its nodes agree on'),
    durability: optional(
      z.union(
        [z.enum(['local', 'sync']), durability],
        `can't stand here. local, sync, or a map with keys such as 'commit'`,
      ),
    ).describe('Whom a commit waits for: local or sync, or a map'),
    failover: optional(failover).describe('The limits of a failover'),
    switchover: optional(switchover).describe('The limits of a switchover'),
    lease: optional(lease).describe('The right to be primary'),
    tls: optional(tls).describe('The certificates of the nodes, and what connections are encrypted with'),
    certificates: optional(z.record(words.certificateName, ownCertificate)).describe(
      'Certificates for services of your own, by host name',
    ),
    backups: optional(backups).describe('Where backups go and when they are made; by default none are'),
  })
  .describe(`A cluster of Understudy, version 1`);

export type ClusterFile = z.output<typeof clusterFile>;

/** The file's own form as a JSON schema (draft 2020-12), for editors. */
export function clusterJsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(clusterFile, { io: 'input', target: 'draft-2020-12' });
}
