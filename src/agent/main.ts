/**
 * Composes the agent from its real adapters, by the node file: the only place that knows them all.
 *
 * PostgreSQL and the pooler outlive the agent: ending it (SIGTERM, SIGINT) leaves both as they are.
 */
import type { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { totalmem, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { poolerReporter, topologySource } from '../api/app-node-links.ts';
import { type AgentClient, createAgentClient } from '../api/client.ts';
import type { AgentBackend, Orderer, Person } from '../api/contract.ts';
import { createLateServer, type LateServer } from '../api/late-server.ts';
import { createApiServer } from '../api/server.ts';
import { FilesOfApplications } from '../applications/application-files.ts';
import { loadNodeFile } from '../config/load-node-file.ts';
import { applicationsDirectory, certificatesDirectory, latePort, type NodeFile } from '../config/node-file.ts';
import type { CertificateWish } from '../core/certificates.ts';
import { keptWalLimitsOf } from '../core/kept-wal.ts';
import { ownCertificatesOf } from '../core/own-certificates.ts';
import { serverConfiguration } from '../core/rules/settings.ts';
import { findNode, type NodeSpec, nodesOfRole, type Spec } from '../core/spec.ts';
import { defaultTlsRules, type TlsRules, tlsPolicyOf } from '../core/tls-policy.ts';
import { examiner } from '../doctor/aside.ts';
import { checkFence } from '../doctor/fence.ts';
import { checkLostLeases } from '../doctor/lost-leases.ts';
import { checkStoreLatency } from '../doctor/store-latency.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import { openStore } from '../etcd/store-access.ts';
import { createFence } from '../fence/client.ts';
import { CertificateDirectories } from '../own-certificates/certificate-directories.ts';
import { Pgbouncer } from '../pgbouncer/pgbouncer.ts';
import { readCredentials } from '../pki/credential-files.ts';
import { readCertificate } from '../pki/identity.ts';
import { issuingProcess } from '../pki/issuing-process.ts';
import { judgeLateCaller } from '../pki/lately-expired.ts';
import { type LeafPlaces, leafFiles } from '../pki/leaf-files.ts';
import { OwnCredentials } from '../pki/own-credentials.ts';
import type { Signer } from '../ports/certificates.ts';
import type { Clock } from '../ports/clock.ts';
import type { WatchedFence } from '../ports/fence.ts';
import { createPostgres } from '../postgres/postgres.ts';
import { syncNames } from '../postgres/sync-names.ts';
import { createCredentialKeeper } from '../secrets/credential-keeper.ts';
import { createCredentialMaker } from '../secrets/credential-maker.ts';
import { readOwnSealing, trustIn } from '../secrets/own-sealing.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { version } from '../version.ts';
import { createAppBackend } from './app-backend.ts';
import { startAppNode } from './app-node.ts';
import { openAppNodeJournal } from './app-node-journal.ts';
import type { EmitEvent } from './app-node-ports.ts';
import { AuditAnchoring, headsReported } from './audit-anchoring.ts';
import { type AuditKeeping, keepAudit } from './audit-keeping.ts';
import { type CertificateSource, renewForEver } from './certificate-renewal.ts';
import { DatabaseBackend } from './database-backend.ts';
import { DatabaseNode } from './database-node.ts';
import type { ActionLog } from './execution-context.ts';
import { watchFullDisk } from './full-disk-move.ts';
import { Issuing } from './issuing.ts';
import { createLatePostgres } from './late-postgres.ts';
import { OwnCertificates } from './own-certificates.ts';
import { type PeerAgent, Peers } from './peers.ts';
import { promiseFileIn } from './promise-file.ts';
import { rememberIssuingKeyIn } from './remembered-issuing-key.ts';
import { rememberSpecIn } from './remembered-spec.ts';
import { checkpointWithinMs } from './switchover-start.ts';

/** Logins under way come to their end first. */
const poolerReloadWithinMs = 10_000;

interface Running {
  readonly backend: AgentBackend;
  /** As far as this node knows the declaration. */
  tls(): TlsRules | null;
  readonly emit: EmitEvent;
  stop(): Promise<void>;
}

interface Foundation {
  readonly file: NodeFile;
  readonly audit: AuditKeeping;
  /** Looks for trouble on this node, beside this process. */
  readonly examine: ReturnType<typeof examiner>;
  readonly clock: Clock;
  readonly log: ActionLog & { debug(facts: object, text: string): void };
  readonly credentials: OwnCredentials;
  /** The loop itself broke: a defect, so the process ends and is started anew. */
  readonly onBroken: (error: unknown) => void;
}

/** Runs until a signal ends it. Throws CONFIG_INVALID, CONFIG_UNREADABLE, CERTIFICATE_REFUSED, PORT_IN_USE. */
export async function runAgent(nodeFilePath: string): Promise<void> {
  const file = loadNodeFile(nodeFilePath);
  for (const directory of [file.directories.run, file.directories.log, file.directories.state]) {
    mkdirSync(directory, { recursive: true, mode: 0o750 });
  }
  chmodSync(file.directories.state, 0o700);
  const log = pino({
    base: { node: file.node },
    level: process.env.UNDERSTUDY_LOG ?? 'info',
    timestamp: pino.stdTimeFunctions.isoTime,
  });
  let broken: unknown = null;
  const end = new AbortController();
  const clock = createLinuxClock();
  let tell: EmitEvent = () => undefined;
  const { node, directories } = file;
  const emit: EmitEvent = (name, facts) => tell(name, facts);
  const audit = keepAudit({ node, stateDirectory: directories.state, clock, emit });
  const foundation: Foundation = {
    file,
    audit,
    examine: examiner(process.argv[1] ?? '', nodeFilePath),
    clock,
    log,
    credentials: new OwnCredentials(await readCredentials(file.tls)),
    onBroken: (error) => {
      broken = error;
      end.abort();
    },
  };
  const running = file.role === 'app' ? startApp(foundation) : startDatabase(foundation);
  const { credentials } = foundation;
  tell = running.emit;
  const server = createApiServer({
    backend: running.backend,
    tls: credentials.current(),
    policy: () => tlsPolicyOf(running.tls() ?? defaultTlsRules, 'api'),
    ...file.api,
    log,
    audit: audit.trail,
  });
  const late = file.role === 'database' ? lateServer(foundation, running) : null;
  credentials.onRenewal(() => {
    server.renew(credentials.current());
    late?.renew(credentials.current());
  });
  try {
    await server.listen();
    await late?.listen();
    await untilSignalled(end.signal);
  } finally {
    await late?.close();
    await server.close();
    await running.stop();
    await audit.close();
  }
  if (broken !== null) {
    log.fatal(
      { because: describeError(broken), stack: broken instanceof Error ? broken.stack : undefined },
      'the agent broke',
    );
    throw broken;
  }
}

function lateServer({ audit, credentials, file, log }: Foundation, running: Running): LateServer {
  const { address, port } = file.api;
  const judge = (certificate: X509Certificate | undefined) =>
    judgeLateCaller(certificate, { rootsPem: credentials.current().caPem, cluster: file.cluster }, Date.now());
  const { backend } = running;
  const tls = credentials.current();
  return createLateServer({ backend, tls, address, port: latePort(port), log, audit: audit.trail, judge });
}

/** Asks one agent; where this node's certificate has expired, on the port for that. */
function askedOf(
  { credentials, file }: Foundation,
  agent: { readonly node: string; readonly address: string; readonly hostName: string },
): CertificateSource {
  return async (wishes) => {
    const { current } = credentials;
    const isLate = Date.parse(readCertificate(current().certificatePem).validTo) <= Date.now();
    const port = isLate ? latePort(file.api.port) : file.api.port;
    const client = createAgentClient({ ...agent, cluster: file.cluster, port, tls: current });
    try {
      return await client.certificate(wishes);
    } finally {
      client.close();
    }
  };
}

function untilSignalled(also: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
    also.addEventListener('abort', () => resolve(), { once: true });
  });
}

function startDatabase(foundation: Foundation): Running {
  const { audit, file, clock, log, credentials, examine } = foundation;
  if (file.store === null) throw new UnderstudyError('CONFIG_INVALID', 'a database node needs a `store` section');
  const { cluster, api } = file;
  const peers = new Peers(
    () => spec() ?? agent.spec(),
    (to) => createAgentClient({ cluster, ...to, port: api.port, tls: credentials.current }),
  );
  const fence = fenceOf(foundation, () => spec()?.postgres.dataDirectory ?? file.directories.data);
  const remembered = rememberSpecIn(file.directories.state);
  // The declaration lies in the store: before it is known, any store will do that keeps to the least.
  const policy = () => {
    const rules = spec()?.tls;
    return rules === undefined ? 'compatible' : tlsPolicyOf(rules, 'store');
  };
  const store = openStore(file.store, file.cluster, clock, policy);
  const spec = (): Spec | null => {
    const record = agent.mirror.image.spec?.value ?? null;
    if (record !== null) remembered.write(record);
    return (record ?? remembered.read())?.spec ?? null;
  };
  const agent: DatabaseNode = new DatabaseNode({
    node: file.node,
    version,
    clock,
    store,
    log,
    postgres: createLatePostgres(() => {
      const known = spec();
      return known === null || findNode(known, file.node)?.role !== 'database'
        ? null
        : localPostgres(foundation, known, fence);
    }),
    fence,
    askPromise: async (node, request, withinMs) => await peers.link(node).promise(request, { withinMs }),
    keptWal: keptWalLimitsOf(file.divergedWal ?? null),
    credentials: createCredentialMaker({
      ...secretsOf(foundation),
      certificates: () => [...agent.mirror.image.sealing.values()].map(({ value }) => value),
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
        memoryBytes: totalmem(),
        floor,
        syncNames: syncNames(sync),
      }),
    diskFreeBytes: () => diskFreeBytes(file.directories.data),
    heard: audit.heard,
  });
  const renewal = renewalOf(foundation, agent.signal);
  const issuing = new Issuing({
    self: file.node,
    mirror: agent.mirror,
    clock,
    signal: agent.signal,
    log,
    signer: signerOf(foundation),
    spec,
    remembered: rememberIssuingKeyIn(file.directories.state),
    own: renewal.files,
  });
  const sources = () => [
    ...(file.role === 'database' ? [(wishes: Wishes) => issuing.issue(file.node, wishes)] : []),
    ...databasesOf(spec())
      .filter(({ name }) => name !== file.node)
      .map(({ name: node, address }) => askedOf(foundation, { node, address, hostName: `${node}.${file.domain}` })),
  ];
  const own = new OwnCertificates({
    ...ownCertificateParts(foundation, agent.signal),
    wanted: () => {
      const known = spec();
      return known === null ? null : ownCertificatesOf(known, file.node);
    },
    sources,
    tell: (name, facts) => agent.emit(name, { node: file.node, ...facts }),
  });
  // systemd tells it to every service (systemd.exec(5)).
  const isService = process.env.INVOCATION_ID !== undefined;
  const backend = new DatabaseBackend({
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
        ...own.findings(),
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
    audit: audit.answers,
  });
  watchFullDisk(agent, backend);
  // Kept up to date, so that an agent that starts without the store knows the newest.
  agent.onChange(() => spec());
  agent.start(foundation.onBroken);
  const { emit, mirror, signal } = agent;
  const anchoring = new AuditAnchoring({
    ...{ self: file.node, mirror, clock, signal, emit, log: audit.log, trail: audit.trail },
    isBusy: () => agent.isMoving(),
    reported: () => headsReported(agent.reports),
  });
  const chores = [
    issuing.shareForEver(),
    renewForEver({
      ...renewal,
      sources,
      declaredLifeMs: () => spec()?.tls.certificateLifeMs ?? null,
      renewed: async () => {
        credentials.replace(await readCredentials(file.tls));
        await agent.postgres.renewCertificate();
      },
      tell: (name, facts) => agent.emit(name, { node: file.node, ...facts }),
    }),
    anchoring.run(),
    own.runForEver(),
  ].map((chore) => chore.catch(foundation.onBroken));
  return {
    backend,
    tls: () => spec()?.tls ?? null,
    emit,
    async stop() {
      await agent.stop();
      await Promise.all(chores);
      peers.close();
      await agent.postgres.close();
      fence.close();
      await store.close();
    },
  };
}

function databasesOf(spec: Spec | null): readonly NodeSpec[] {
  return spec === null ? [] : nodesOfRole(spec, 'database');
}

type Wishes = readonly CertificateWish[];

function renewalOf({ file, clock }: Foundation, signal: AbortSignal) {
  const { store, tls } = file;
  const places: LeafPlaces = {
    node: tls,
    ...(tls.sealing === undefined ? {} : { sealing: tls.sealing }),
    ...(store === null ? {} : { 'store-client': store }),
    ...(store?.server === undefined ? {} : { 'store-server': store.server }),
  };
  return { files: leafFiles(places), clock, signal, draw: () => Math.random() };
}

function ownCertificateParts({ file, clock }: Foundation, signal: AbortSignal) {
  const files = new CertificateDirectories({
    directory: certificatesDirectory(file),
    record: join(file.directories.state, 'own-certificates.json'),
    authority: file.tls.ca,
  });
  return { files, clock, signal, draw: () => Math.random() };
}

function signerOf({ file, clock }: Foundation): Signer {
  const { cluster, domain, node, tls } = file;
  const { sealing } = tls;
  if (sealing === undefined || file.role !== 'database') {
    const refuse = () => Promise.reject(new UnderstudyError('NOT_FOUND', `${node} has no issuing key`));
    return { sign: refuse, share: refuse };
  }
  const place = { cluster, domain, node, roots: tls.ca, sealing };
  return issuingProcess(beside('issuer.mjs'), place, () => clock.wallClock().getTime());
}

/** Another program of the same build. */
function beside(name: string): string {
  return join(dirname(process.argv[1] ?? ''), name);
}

/** It lives on when the agent ends. */
function fenceOf({ file, clock, log: says }: Foundation, data: () => string): WatchedFence {
  const { run, state, log } = file.directories;
  const program = beside('fence.mjs');
  const files = { socket: join(run, 'fence.sock'), memory: join(state, 'fence.json'), logFile: join(log, 'fence.log') };
  const fence = createFence({ program, data, ...files, watchdog: file.watchdog ?? null }, clock);
  fence.onLost((because) => says.warn({ because }, 'the fence was lost: another is started'));
  return fence;
}

function localPostgres({ file, clock }: Foundation, spec: Spec, fence: WatchedFence) {
  const address = findNode(spec, file.node)?.address ?? file.api.address;
  return createPostgres({
    directories: { ...file.directories, data: spec.postgres.dataDirectory ?? file.directories.data },
    major: spec.postgres.major,
    binaryDirectory: file.binaries.postgres ?? spec.postgres.binaryDirectory,
    node: file.node,
    domain: file.domain,
    address,
    port: spec.postgres.port,
    tls: file.tls,
    clock,
    fence,
  });
}

function secretsOf({ file, clock }: Foundation) {
  return {
    self: file.node,
    own: readOwnSealing(file.tls.sealing),
    trust: trustIn(file.cluster, file.tls.ca),
    nowMs: () => clock.wallClock().getTime(),
  };
}

function peerAgent(known: AgentClient): PeerAgent {
  return {
    switchover: (request, by, signal) => known.switchover(request, { onBehalfOf: personIn(by), signal }),
    cancel: (operation, by) => known.cancel(operation, { onBehalfOf: personIn(by) }),
    checkpoint: (signal) => known.checkpoint({ signal, withinMs: checkpointWithinMs }),
  };
}

/** What an agent wants of its own accord it asks for in its own name. */
function personIn(by: Orderer): Person | undefined {
  return by.kind === 'agent' ? undefined : by;
}

async function diskFreeBytes(directory: string): Promise<number | null> {
  for (const path of [directory, join(directory, '..')]) {
    const facts = await statfs(path).catch(() => null); // not made yet
    if (facts !== null) return facts.bavail * facts.bsize;
  }
  return null;
}

function startApp(foundation: Foundation): Running {
  const { audit, file, clock, log, credentials, examine } = foundation;
  const agents = file.databaseAgents.map(({ node, address }) => ({
    node,
    address,
    hostName: `${node}.${file.domain}`,
  }));
  const { current, onRenewal } = credentials;
  const link = { cluster: file.cluster, port: file.api.port, credentials: current, onRenewal };
  const { state, run, log: logs } = file.directories;
  const secrets = createCredentialKeeper({ ...secretsOf(foundation), file: join(state, 'credentials.json') });
  const pooler = new Pgbouncer({
    state,
    run,
    log: logs,
    tls: file.tls,
    program: file.binaries.pgbouncer,
    plainFrom: file.pooler.plainFrom ?? [],
    passwordOf: secrets.passwordOf,
  });
  const links = poolerReporter(link);
  const emit: EmitEvent = (event, facts) => {
    audit.heard(event, facts);
    log.info({ event, ...facts }, event);
  };
  const ended = new AbortController();
  const sources = () => (app.configuration()?.databaseAgents ?? agents).map((agent) => askedOf(foundation, agent));
  const own = new OwnCertificates({
    ...ownCertificateParts(foundation, ended.signal),
    wanted: () => (app.isExpelled() ? [] : (app.configuration()?.certificates ?? null)),
    sources,
    tell: (event, facts) => emit(event, { node: file.node, ...facts }),
  });
  const app = startAppNode(
    {
      node: file.node,
      cluster: file.cluster,
      listenAddress: file.pooler.listenAddress,
      agents,
      pooler,
      files: new FilesOfApplications(
        { directory: applicationsDirectory(file), socketDirectory: run, authority: file.tls.ca },
        pooler.passwords,
      ),
      source: topologySource(link),
      reporter: {
        report: (agent, report, options) =>
          links.report(agent, { ...report, audit: audit.log.anchorable ?? undefined }, options),
      },
      secrets,
      journal: openAppNodeJournal(join(state, 'app-node.json'), join(run, 'app-node.json')),
      clock,
      emit,
      otherTrouble: () => own.trouble,
    },
    foundation.onBroken,
  );
  const backend = createAppBackend({
    cluster: file.cluster,
    node: file.node,
    version,
    app,
    databaseNodes: () => new Set(agents.map((agent) => agent.node)),
    doctor: async () => [...(await examine()), audit.doctor(), ...own.findings()],
    now: () => clock.wallClock(),
    audit: { ...audit.answers, anchors: () => [] },
  });
  const renewal = renewForEver({
    ...renewalOf(foundation, ended.signal),
    sources,
    declaredLifeMs: () => app.configuration()?.certificateLifeMs ?? null,
    renewed: async () => {
      credentials.replace(await readCredentials(file.tls));
      await pooler.renewCertificate({ withinMs: poolerReloadWithinMs });
    },
    tell: (event, facts) => emit(event, { node: file.node, ...facts }),
  }).catch(foundation.onBroken);
  const keeping = own.runForEver().catch(foundation.onBroken);
  emit('agent.started', { version, node: file.node });
  return {
    backend,
    tls: () => app.configuration()?.tls ?? null,
    emit,
    async stop() {
      ended.abort();
      await renewal;
      await keeping;
      await app.stop();
      links.close();
      await pooler.close();
    },
  };
}
