/** Composes the agent of a database node or a witness. */
import { readFileSync } from 'node:fs';
import { totalmem, userInfo } from 'node:os';
import { acceptAudit } from '../agent/audit-acceptance.ts';
import { AuditAnchoring, headsReported } from '../agent/audit-anchoring.ts';
import { DatabaseBackend } from '../agent/database-backend.ts';
import { DatabaseNode } from '../agent/database-node.ts';
import { watchFullDisk } from '../agent/full-disk-move.ts';
import { createLatePostgres } from '../agent/late-postgres.ts';
import { Peers } from '../agent/peers.ts';
import { promiseFileIn } from '../agent/promise-file.ts';
import { rememberSpecIn } from '../agent/remembered-spec.ts';
import { trustAnswers, trustReported } from '../agent/trust-order.ts';
import { type AgentClient, createAgentClient } from '../api/client.ts';
import { keptWalLimitsOf } from '../core/kept-wal.ts';
import { serverConfiguration } from '../core/rules/settings.ts';
import { findNode, type NodeName, type Spec } from '../core/spec.ts';
import { tlsPolicyOf } from '../core/tls-policy.ts';
import { checkFence } from '../doctor/fence.ts';
import { checkLostLeases } from '../doctor/lost-leases.ts';
import { checkRevocationList } from '../doctor/revocation-list.ts';
import { checkStoreLatency } from '../doctor/store-latency.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { openStore } from '../etcd/store-access.ts';
import type { RevocationLists } from '../pki/revocation-lists.ts';
import type { CloneBases } from '../ports/clone-bases.ts';
import type { WatchedFence } from '../ports/fence.ts';
import type { Repository } from '../ports/repository.ts';
import type { Store } from '../ports/store.ts';
import { archiveHoldIn } from '../postgres/layout.ts';
import { syncNames } from '../postgres/sync-names.ts';
import { createCredentialMaker } from '../secrets/credential-maker.ts';
import { nextAfter } from '../timing/cron.ts';
import { version } from '../version.ts';
import { authorityOf } from './authority.ts';
import { type Backups, backupsOf } from './backups.ts';
import { secretsOf } from './certificates.ts';
import { type Certificates, certificatesOf } from './database-certificates.ts';
import { enrolmentDoor } from './enrolment.ts';
import type { Foundation, Running } from './foundation.ts';
import { diskFreeBytes, fenceOf, localPostgres, localRepositories } from './local-server.ts';
import { sweepThePast } from './past.ts';
import { peerAgent, primaryAgent } from './peers.ts';
import { hearingRevocations, revocationLists } from './revocations.ts';

/** What the parts of the agent share. */
interface Shared {
  /** The declaration as far as this node knows it. */
  readonly spec: () => Spec | null;
  readonly store: Store;
  readonly fence: WatchedFence;
  /** Of revoked certificates, on this node's disk. */
  readonly lists: RevocationLists;
  readonly peers: Peers<AgentClient>;
  readonly repositoryOf: (spec: Spec) => Repository;
}

export function startDatabase(foundation: Foundation): Running {
  const { file, clock, credentials, revoked } = foundation;
  if (file.store === null) throw new UnderstudyError('CONFIG_INVALID', 'a database node needs a `store` section');
  const remembered = rememberSpecIn(file.directories.state);
  const spec = (): Spec | null => {
    const record = agent.mirror.image.spec?.value ?? null;
    if (record !== null) remembered.write(record);
    return (record ?? remembered.read())?.spec ?? null;
  };
  // The declaration lies in the store: before it is known, any store will do that keeps to the least.
  const policy = () => {
    const rules = spec()?.tls;
    return rules === undefined ? 'compatible' : tlsPolicyOf(rules, 'store');
  };
  const { cluster, api } = file;
  const shared: Shared = {
    spec,
    lists: revocationLists(foundation, () => agent),
    repositoryOf: localRepositories(foundation),
    store: openStore(file.store, cluster, clock, policy),
    fence: fenceOf(foundation, () => spec()?.postgres.dataDirectory ?? file.directories.data),
    peers: new Peers(
      () => spec() ?? agent.spec(),
      (to) => createAgentClient({ cluster, ...to, port: api.port, tls: credentials.current, revoked }),
    ),
  };
  const bases = () => backups.bases;
  const agent: DatabaseNode = databaseAgent(foundation, shared, () => agent, bases);
  const certificates = certificatesOf(foundation, shared, agent);
  const agentOf = (node: NodeName) => primaryAgent(shared.peers.link(node));
  const backups = backupsOf(foundation, { agent, agentOf, spec, repositoryOf: shared.repositoryOf });
  const backend = databaseBackend(foundation, shared, agent, certificates, backups);
  watchFullDisk(agent, backend);
  // Kept up to date, so that an agent that starts without the store knows the newest.
  agent.onChange(() => spec());
  agent.onChange(hearingRevocations(foundation, agent));
  agent.start(foundation.onBroken);
  const chores = [
    ...certificates.forEver(),
    ...(file.role === 'database' ? [...backups.forEver(), sweepThePast(foundation, agent.signal)] : []),
    anchoringOf(foundation, agent).run(),
    ...(file.role === 'database' ? [enrolmentDoor(foundation, backend, certificates.enrolment, agent.signal)] : []),
  ].map((chore) => chore.catch(foundation.onBroken));
  return {
    backend,
    tls: () => spec()?.tls ?? null,
    emit: agent.emit,
    async stop() {
      await agent.stop();
      await Promise.all(chores);
      shared.peers.close();
      await agent.postgres.close();
      shared.fence.close();
      await shared.store.close();
    },
  };
}

/** `self` is asked once it is there. */
function databaseAgent(
  foundation: Foundation,
  shared: Shared,
  self: () => DatabaseNode,
  bases: () => CloneBases,
): DatabaseNode {
  const { audit, file, clock, log } = foundation;
  const { spec, store, fence, lists, peers, repositoryOf } = shared;
  return new DatabaseNode({
    node: file.node,
    version,
    clock,
    store,
    log,
    postgres: createLatePostgres(() => {
      const known = spec();
      return known === null || findNode(known, file.node)?.role !== 'database'
        ? null
        : localPostgres(foundation, known, { fence, revocationList: () => lists.file() });
    }),
    fence,
    askPromise: async (node, request, withinMs) => await peers.link(node).promise(request, { withinMs }),
    keptWal: keptWalLimitsOf(file.divergedWal ?? null),
    credentials: createCredentialMaker({
      ...secretsOf(foundation),
      certificates: () => [...self().mirror.image.sealing.values()].map(({ value }) => value),
    }),
    checkpointOn: async (node, signal) => await peerAgent(peers.link(node)).checkpoint(signal),
    askWal: async (node, request, withinMs) => (await peers.link(node).lastWords(request, { withinMs })).piece,
    promises: promiseFileIn(file.directories.state),
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    configuration: (wanted, floor, sync) =>
      serverConfiguration(wanted, file.node, {
        socketDirectory: file.directories.run,
        tls: file.tls,
        osUser: userInfo().username,
        archiveCommand: repositoryOf(wanted).commands.archive,
        archiveHold: archiveHoldIn(file.directories.run),
        memoryBytes: totalmem(),
        floor,
        syncNames: syncNames(sync),
      }),
    bases,
    restoreCommand: (wanted) => (wanted.backups === null ? null : repositoryOf(wanted).commands.restore),
    diskFreeBytes: () => diskFreeBytes(file.directories.data),
    heard: audit.heard,
  });
}

function databaseBackend(
  foundation: Foundation,
  { spec, store, fence, peers }: Shared,
  agent: DatabaseNode,
  { enrolment, issuing, own, trust, lists }: Certificates,
  backups: Backups,
): DatabaseBackend {
  const { audit, file, clock, examine } = foundation;
  const { mirror, signal } = agent;
  // systemd tells it to every service (systemd.exec(5)).
  const isService = process.env.INVOCATION_ID !== undefined;
  const authority = authorityOf(foundation, agent);
  return new DatabaseBackend({
    backups: backups.answers,
    nextAfter,
    cluster: file.cluster,
    agent,
    doctor: async () => {
      const ttlMs = spec()?.lease.ttlMs;
      const probe = { store, clock, node: file.node };
      const latency = ttlMs === undefined ? [] : [checkStoreLatency({ ...probe, ttlMs })];
      const lost = ttlMs === undefined ? [] : [checkLostLeases(file.node, ttlMs, agent.mirror.image.events)];
      // One after the other: the programs that the other checks run would be measured, too.
      return [
        ...(await Promise.all(latency)),
        ...(await examine()),
        ...lost,
        audit.doctor(),
        ...authority.findings(),
        ...own.findings(),
        ...(file.role === 'database' ? await backups.findings() : []),
        ...(file.role === 'witness' ? [] : [checkRevocationList(lists.trouble)]),
        ...(file.role === 'witness' ? [] : [checkFence(await fence.peek(), isService)]),
      ];
    },
    disagreements: async (wanted) => {
      // Loaded only for an apply: the loader is a large part of the command line.
      const { specDisagreements } = await import('../config/spec-disagreements.ts');
      return specDisagreements(wanted);
    },
    peer: (node) => peerAgent(peers.link(node)),
    issue: (node, wishes) => issuing.issue(node, wishes),
    enrolment,
    authority: authority.answers,
    registered: authority.registered,
    trust: trustAnswers({
      ...{ clock, mirror: agent.mirror, signal: agent.signal, emit: agent.emit },
      ...{ files: trust.files, reader: trust.reader },
      reported: () => trustReported(agent.reports),
    }),
    audit: {
      ...audit.answers,
      accept: (accepted) => acceptAudit({ self: file.node, mirror, trail: audit.trail, signal }, accepted),
    },
  });
}

function anchoringOf({ audit, file, clock }: Foundation, agent: DatabaseNode): AuditAnchoring {
  const { mirror, signal, emit } = agent;
  return new AuditAnchoring({
    ...{ self: file.node, mirror, clock, signal, emit, log: audit.log, trail: audit.trail },
    isBusy: () => agent.isMoving(),
    reported: () => headsReported(agent.reports),
  });
}
