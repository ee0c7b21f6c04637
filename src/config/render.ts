/**
 * Writes a spec as a cluster file: what `stage up` leaves for the user to edit, and `show` prints.
 *
 * Invariant: reading the file again gives the same spec, in every version of the defaults, since every value is
 * written out. Only what has no value is left out.
 */
import { stringify } from 'yaml';
import { type BackupsSpec, inUrl, repositoryUrl } from '../core/backups-spec.ts';
import { unreachable } from '../core/exhausted-union.ts';
import { defaultPriority } from '../core/plain-spec.ts';
import {
  type ApplicationSpec,
  type DatabaseSpec,
  type NodeRole,
  type NodeSpec,
  nodesOfRole,
  type OwnCertificateSpec,
  type Spec,
  type TlsSpec,
} from '../core/spec.ts';
import { impliedDatacenter } from './normalise.ts';
import { formatDuration, formatSize } from './units.ts';

const mebibyte = 1024 * 1024;

type Written = Readonly<Record<string, unknown>>;

function withoutAbsent(entries: Written): Written {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== null && value !== undefined));
}

function node(
  spec: Spec,
  { name, address, datacenter, priority, failover, applyDelayMs, purpose, contact, role, roles }: NodeSpec,
): unknown {
  const declared = impliedDatacenter(name, spec.datacenters);
  const written = {
    ...withoutAbsent({
      // The default is not written: several nodes with the same priority are a mistake only when someone asked for it.
      priority: role === 'database' && priority !== defaultPriority ? priority : null,
      failover: role === 'database' && failover === 'never' ? failover : null,
      delay: applyDelayMs === null ? null : formatDuration(applyDelayMs),
      purpose,
      contact,
      roles: roles.length === 0 ? null : roles,
    }),
    ...(datacenter === declared ? {} : { datacenter }),
  };
  return Object.keys(written).length === 0 ? address : { address, ...written };
}

function nodes(spec: Spec, role: NodeRole): Written | null {
  const own = nodesOfRole(spec, role);
  return own.length === 0 ? null : Object.fromEntries(own.map((each) => [each.name, node(spec, each)]));
}

function database({ owner, encoding, locale, extensions, connectionLimit, settings }: DatabaseSpec): unknown {
  return withoutAbsent({
    owner,
    encoding,
    locale,
    extensions: extensions.length === 0 ? null : extensions,
    connection_limit: connectionLimit,
    settings: Object.keys(settings).length === 0 ? null : settings,
  });
}

function application(spec: ApplicationSpec): unknown {
  const { database, rights, nodes: on, poolSize, outage, files, rotateEveryMs } = spec;
  return withoutAbsent({
    database,
    rights,
    nodes: on,
    pool_size: poolSize,
    outage,
    files: withoutAbsent({ ...files }),
    rotate: rotateEveryMs === null ? null : formatDuration(rotateEveryMs),
  });
}

function renderTls({ certificateLifeMs, policy, exceptions }: TlsSpec): Written {
  const named = exceptions.map(({ service, ...exception }) => [service, exception]);
  return withoutAbsent({
    life: formatDuration(certificateLifeMs),
    policy,
    exceptions: named.length === 0 ? null : Object.fromEntries(named),
  });
}

function certificate({ lifeMs, roles, reload, files }: OwnCertificateSpec): Written {
  return withoutAbsent({ life: formatDuration(lifeMs), roles, reload, files: withoutAbsent({ ...files }) });
}

function endpoint(host: string, port: number): string {
  return port === 443 ? inUrl(host) : `${inUrl(host)}:${port}`;
}

/** What stands beside `to` of the repository, by its kind. */
function reach({ to }: BackupsSpec): Written {
  switch (to.kind) {
    case 's3': {
      const { region, addressing, caFile } = to;
      return { region, endpoint: endpoint(to.endpoint, to.port), ca: caFile, addressing };
    }
    case 'azure':
      return { account: to.account, endpoint: inUrl(to.endpoint), ca: to.caFile };
    case 'gcs':
      return { endpoint: inUrl(to.endpoint), ca: to.caFile };
    case 'sftp':
      return { host_key: to.hostKeySha256 };
    case 'directory':
      return {};
    default:
      return unreachable(to);
  }
}

/** Without `credentials`: no spec has them. */
function renderBackups(backups: BackupsSpec): Written {
  const { full, differential, proof, from, timeZone, keepDays, compression, processes } = backups;
  return withoutAbsent({
    to: repositoryUrl(backups.to),
    ...reach(backups),
    full: full ?? 'never',
    differential: differential ?? 'never',
    proof: proof ?? 'never',
    from,
    time_zone: timeZone,
    keep: `${keepDays}d`,
    compression,
    processes,
  });
}

/** Nodes are written by role: database, witness, app. */
export function renderClusterFile(spec: Spec): string {
  const { postgres, store, poolers, durability, failover, switchover, lease, tls, certificates, backups } = spec;
  const datacenters = Object.entries(spec.datacenters).map(([name, value]) => [name, withoutAbsent(value)]);
  return stringify(
    withoutAbsent({
      version: spec.version,
      cluster: spec.cluster,
      domain: spec.domain,
      contact: spec.contact,
      datacenters: datacenters.length === 0 ? null : Object.fromEntries(datacenters),
      nodes: withoutAbsent({
        database: nodes(spec, 'database'),
        witness: nodes(spec, 'witness'),
        app: nodes(spec, 'app'),
      }),
      postgres: withoutAbsent({
        version: postgres.major,
        port: postgres.port,
        data: postgres.dataDirectory,
        binaries: postgres.binaryDirectory,
        parameters: Object.keys(postgres.parameters).length === 0 ? null : postgres.parameters,
        wal_budget: formatSize(postgres.walBudgetMb * mebibyte),
        hba: postgres.hba.length === 0 ? null : postgres.hba.map((rule) => withoutAbsent({ ...rule })),
      }),
      store: withoutAbsent({ kind: store.kind, endpoints: store.endpoints, ca: store.caFile }),
      databases: Object.fromEntries(spec.databases.map((each) => [each.name, database(each)])),
      applications: Object.fromEntries(spec.applications.map((each) => [each.name, application(each)])),
      poolers: {
        port: poolers.port,
        mode: poolers.mode,
        pool_size: poolers.poolSize,
        max_clients: poolers.maxClients,
        query_wait_timeout: formatDuration(poolers.queryWaitTimeoutS * 1_000),
      },
      durability: {
        commit: durability.commit,
        k: durability.k,
        without_standby: durability.withoutStandby,
        unheard:
          durability.acceptLossAfterMs === null
            ? 'wait'
            : { accept_loss_after: formatDuration(durability.acceptLossAfterMs) },
      },
      failover: {
        loss_limit: failover.lossLimitBytes === null ? 'unlimited' : formatSize(failover.lossLimitBytes),
      },
      switchover: {
        drain_timeout: formatDuration(switchover.drainTimeoutMs),
        stop_timeout: formatDuration(switchover.stopTimeoutMs),
        promote_timeout: formatDuration(switchover.promoteTimeoutMs),
        long_transaction: formatDuration(switchover.longTransactionMs),
        max_lag: formatSize(switchover.maxLagBytes),
      },
      lease: { ttl: formatDuration(lease.ttlMs) },
      tls: renderTls(tls),
      certificates:
        certificates.length === 0
          ? null
          : Object.fromEntries(certificates.map((each) => [each.name, certificate(each)])),
      backups: backups === null ? null : renderBackups(backups),
    }),
    // The loader refuses aliases.
    { aliasDuplicateObjects: false },
  );
}
