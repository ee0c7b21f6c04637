/**
 * Whether the parts of a declaration agree with each other: names that must lead somewhere or may exist once only,
 * and times that must fit into each other. Pure.
 */
import { leaseDeadlineMs, renewEveryMs } from '../core/lease.ts';
import { type ApplicationSpec, longestAlias, nodeAlias, nodesOfRole, readAlias, type Spec } from '../core/spec.ts';
import { accessDisagreements, extensionDisagreements, parameterDisagreements } from './access-agreement.ts';
import { backupDisagreements, backupDoubts } from './backup-agreement.ts';
import { certificateDisagreements, roleDisagreements } from './certificate-agreement.ts';
import { durabilityDisagreements, durabilityDoubts } from './durability-agreement.ts';
import { type Finding, quote } from './issue.ts';
import { nodeDisagreements, nodeDoubts } from './node-agreement.ts';
import { nodesNamed } from './normalise.ts';
import { portDisagreements } from './port-agreement.ts';
import type { ClusterFile } from './schema.ts';
import { closest } from './spelling.ts';
import { formatDuration } from './units.ts';

function runsOn(spec: Spec, application: string, written: string, index: number): readonly Finding[] {
  const path = ['applications', application, 'nodes', index];
  const say = (message: string): readonly Finding[] => [{ path, at: 'value', message: `${quote(written)} ${message}` }];
  const named = nodesNamed(spec.nodes, written);
  const apps = named.filter((node) => node.role === 'app');
  if (apps.length === 1) return [];
  if (apps.length > 1) return say(`may be ${apps.map((node) => node.name).join(' or ')}. The full name`);
  const [other] = named;
  if (other !== undefined) return say(`is a ${other.role} node. Applications run on app nodes, which have a pooler`);
  const near = closest(
    written,
    nodesOfRole(spec, 'app').flatMap((node) => [node.name, node.name.split('.')[0] ?? '']),
  );
  return say(`is no node. ${near === undefined ? `Declare it under nodes.app` : `Did you mean '${near}'?`}`);
}

function placesOf(spec: Spec, name: string, written: readonly string[]): readonly Finding[] {
  const seen = new Set<string>();
  return written.flatMap((node, index) => {
    const full = spec.applications.find((each) => each.name === name)?.nodes[index] ?? node;
    if (seen.has(full)) {
      const path = ['applications', name, 'nodes', index];
      return [{ path, at: 'value', message: `${quote(node)} is there twice. Each node once` } as const];
    }
    seen.add(full);
    return runsOn(spec, name, node, index);
  });
}

function databaseOf(spec: Spec, application: ApplicationSpec): readonly Finding[] {
  const { name, rights } = application;
  const database = spec.databases.find((each) => each.name === application.database);
  if (database === undefined) {
    const near = closest(
      application.database,
      spec.databases.map((each) => each.name),
    );
    const right =
      near === undefined ? `Declare it under databases: '${application.database}: ${name}'` : `Did you mean '${near}'?`;
    const message = `uses the database ${quote(application.database)}, which is not declared. ${right}`;
    return [{ path: ['applications', name, 'database'], at: 'value', message }];
  }
  if (rights === 'ro' && database.owner === name) {
    const message = `may only read, but the role ${quote(name)} owns the database ${database.name}, and an owner may write. Another name for the application`;
    return [{ path: ['applications', name], at: 'key', message }];
  }
  const other = spec.databases.find((each) => each.owner === name);
  if (database.owner !== name && other !== undefined) {
    const message = `uses ${database.name}, while the role ${quote(name)} owns the database ${other.name}. Another name for the application, or for the owner`;
    return [{ path: ['applications', name], at: 'key', message }];
  }
  return [];
}

function aliasesOf(spec: Spec, application: ApplicationSpec): readonly Finding[] {
  const path = ['applications', application.name];
  const alias = readAlias(application);
  if (alias.length > longestAlias) {
    return [
      { path, at: 'key', message: `is too long, since ${quote(alias)} is its alias for reads. At most 60 letters` },
    ];
  }
  const tooLong = nodesOfRole(spec, 'database').find(({ name }) => nodeAlias(application, name).length > longestAlias);
  if (tooLong !== undefined) {
    const most = longestAlias - 1;
    const message = `is too long together with the database node ${tooLong.name}, since ${quote(nodeAlias(application, tooLong.name))} is its alias for reads there. At most ${most} letters in both names`;
    return [{ path, at: 'key', message }];
  }
  return spec.applications
    .filter((other) => other.name === alias)
    .map((other) => ({
      path: ['applications', other.name],
      at: 'key' as const,
      message: `is already the alias by which ${application.name} reads from standbys. A name that doesn't end in -ro`,
    }));
}

function applications(file: ClusterFile, spec: Spec): readonly Finding[] {
  return spec.applications.flatMap((application) => [
    ...placesOf(spec, application.name, file.applications?.[application.name]?.nodes ?? []),
    ...databaseOf(spec, application),
    ...aliasesOf(spec, application),
  ]);
}

/** A client that came just before a switchover must still be waiting when it ends, also if it has to be undone. */
function times(file: ClusterFile, spec: Spec): readonly Finding[] {
  const { drainTimeoutMs, stopTimeoutMs, promoteTimeoutMs } = spec.switchover;
  const longest = drainTimeoutMs + stopTimeoutMs + 2 * promoteTimeoutMs + 1_000;
  if (longest < spec.poolers.queryWaitTimeoutS * 1_000) return [];
  const message =
    `clients give up after ${spec.poolers.queryWaitTimeoutS}s, while a switchover may take ${formatDuration(longest)} ` +
    `(drain + stop + 2 x promote + 1s). More than ${formatDuration(longest)}, or shorter timeouts under switchover`;
  const blamed =
    typeof file.poolers?.query_wait_timeout === 'number' ? ['poolers', 'query_wait_timeout'] : ['switchover'];
  return [{ path: blamed, at: 'key', message }];
}

/** Does a holder that lost two renewals in a row still have time to renew before it must stop? */
function survivesTwoLosses(ttlMs: number): boolean {
  return 3 * renewEveryMs(ttlMs) <= leaseDeadlineMs(0, ttlMs);
}

function lease(spec: Spec): readonly Finding[] {
  if (survivesTwoLosses(spec.lease.ttlMs)) return [];
  let enough = spec.lease.ttlMs;
  while (!survivesTwoLosses(enough)) enough += 100;
  const message = `${formatDuration(spec.lease.ttlMs)} is too short: two lost renewals would stop the primary. At least ${formatDuration(enough)}`;
  return [{ path: ['lease', 'ttl'], at: 'value', message }];
}

function endpoints(file: ClusterFile): readonly Finding[] {
  return (file.store?.endpoints ?? []).flatMap((endpoint, index, all) =>
    all.indexOf(endpoint) === index
      ? []
      : [
          {
            path: ['store', 'endpoints', index],
            at: 'value' as const,
            message: `${quote(endpoint)} is there twice. Each endpoint once`,
          },
        ],
  );
}

export function disagreements(file: ClusterFile, spec: Spec): readonly Finding[] {
  return [
    ...nodeDisagreements(file, spec),
    ...applications(file, spec),
    ...parameterDisagreements(file),
    ...extensionDisagreements(file),
    ...accessDisagreements(file, spec),
    ...times(file, spec),
    ...lease(spec),
    ...durabilityDisagreements(file, spec),
    ...endpoints(file),
    ...portDisagreements(spec),
    ...roleDisagreements(spec),
    ...certificateDisagreements(file, spec),
    ...backupDisagreements(file, spec),
  ];
}

/** What is allowed and probably not meant. */
export function doubts(spec: Spec): readonly Finding[] {
  const members = spec.store.endpoints.length;
  const store: readonly Finding[] =
    members % 2 === 1
      ? []
      : [
          {
            path: ['store', 'endpoints'],
            at: 'value',
            message: `${members} store members bear no more failures than ${members - 1}. An odd number: a third node, such as a witness`,
          },
        ];
  const connections = spec.applications.reduce(
    (sum, { nodes, poolSize }) => sum + nodes.length * (poolSize ?? spec.poolers.poolSize),
    0,
  );
  const declared = Number(spec.postgres.parameters.max_connections ?? 200);
  const crowded: readonly Finding[] =
    connections <= declared || Number.isNaN(declared)
      ? []
      : [
          {
            path: ['poolers', 'pool_size'],
            at: 'value',
            message: `the poolers may open ${connections} connections, and the primary takes ${declared}. Smaller pools, or a higher postgres.parameters.max_connections`,
          },
        ];
  return [...nodeDoubts(spec), ...durabilityDoubts(spec), ...backupDoubts(spec), ...store, ...crowded];
}
