/** Composes the agent of an app node. */
import { join } from 'node:path';
import { createAppBackend } from '../agent/app-backend.ts';
import { type AppNode, startAppNode } from '../agent/app-node.ts';
import { openAppNodeJournal } from '../agent/app-node-journal.ts';
import type { EmitEvent, PoolerReporter } from '../agent/app-node-ports.ts';
import { poolerReporter, topologySource } from '../api/app-node-links.ts';
import type { AgentBackend } from '../api/contract/backend.ts';
import { FilesOfApplications } from '../applications/application-files.ts';
import { applicationsDirectory, topologySocket } from '../config/node-file.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { Pgbouncer } from '../pgbouncer/pgbouncer.ts';
import type { PasswordOf } from '../pgbouncer/server-logins.ts';
import { readCredentials } from '../pki/credential-files.ts';
import { createCredentialKeeper } from '../secrets/credential-keeper.ts';
import { version } from '../version.ts';
import { type AppNodeCertificates, appNodeCertificates } from './app-node-certificates.ts';
import { secretsOf } from './certificates.ts';
import type { Foundation, Running } from './foundation.ts';
import { tellLocally } from './local-topology.ts';

/** Logins under way come to their end first. */
const poolerReloadWithinMs = 10_000;

function refuseAcceptance(): Promise<never> {
  return Promise.reject(new UnderstudyError('REFUSED', 'the agents of database nodes take this order'));
}

function localPooler({ file }: Foundation, passwordOf: PasswordOf): Pgbouncer {
  const { state, run, log } = file.directories;
  return new Pgbouncer({
    state,
    run,
    log,
    tls: file.tls,
    program: file.binaries.pgbouncer,
    plainFrom: file.pooler.plainFrom ?? [],
    passwordOf,
  });
}

function eventsOf({ audit, log }: Foundation): EmitEvent {
  return (event, facts) => {
    audit.heard(event, facts);
    log.info({ event, ...facts }, event);
  };
}

/** Each report says how far this node's audit log is, and which roots it trusts. */
function reporterOf(links: PoolerReporter, { audit }: Foundation, { trust }: AppNodeCertificates): PoolerReporter {
  return {
    report: (agent, report, options) =>
      links.report(
        agent,
        { ...report, audit: audit.log.anchorable ?? undefined, trust: trust.inForce ?? undefined },
        options,
      ),
  };
}

function backendOf(foundation: Foundation, app: AppNode, { own }: AppNodeCertificates): AgentBackend {
  const { audit, clock, examine, file } = foundation;
  const databaseNodes = new Set(file.databaseAgents.map(({ node }) => node));
  return createAppBackend({
    cluster: file.cluster,
    node: file.node,
    version,
    app,
    databaseNodes: () => databaseNodes,
    doctor: async () => [...(await examine()), audit.doctor(), ...own.findings()],
    now: () => clock.wallClock(),
    audit: { ...audit.answers, anchors: () => [], accept: refuseAcceptance },
  });
}

export function startApp(foundation: Foundation): Running {
  const { file, clock, credentials, revoked } = foundation;
  const agents = file.databaseAgents.map((agent) => ({ ...agent, hostName: `${agent.node}.${file.domain}` }));
  const { current, onRenewal } = credentials;
  const link = { cluster: file.cluster, port: file.api.port, credentials: current, onRenewal, revoked };
  const { state, run } = file.directories;
  const secrets = createCredentialKeeper({ ...secretsOf(foundation), file: join(state, 'credentials.json') });
  const pooler = localPooler(foundation, secrets.passwordOf);
  const links = poolerReporter(link);
  const emit = eventsOf(foundation);
  const ended = new AbortController();
  const places = {
    directory: applicationsDirectory(file),
    socketDirectory: run,
    topologySocket: topologySocket(file),
    authority: file.tls.ca,
  };
  const connectionFiles = new FilesOfApplications(places, pooler.passwords);
  const certificates = appNodeCertificates(foundation, {
    app: () => app,
    agents: () => app.configuration()?.databaseAgents ?? agents,
    emit,
    signal: ended.signal,
    takeUp: async () => {
      credentials.replace(await readCredentials(file.tls));
      await pooler.renewCertificate({ withinMs: poolerReloadWithinMs });
    },
    renewAuthority: () => connectionFiles.renewAuthority(),
  });
  const app = startAppNode(
    {
      node: file.node,
      cluster: file.cluster,
      listenAddress: file.pooler.listenAddress,
      agents,
      pooler,
      files: connectionFiles,
      source: topologySource(link),
      reporter: reporterOf(links, foundation, certificates),
      secrets,
      clientLogins: pooler.passwords,
      revoked,
      journal: openAppNodeJournal(join(state, 'app-node.json'), join(run, 'app-node.json')),
      clock,
      emit,
      otherTrouble: () => certificates.own.trouble ?? told.trouble,
    },
    foundation.onBroken,
  );
  const told = tellLocally(app.localTopology, topologySocket(file));
  const backend = backendOf(foundation, app, certificates);
  const keeping = certificates.run();
  emit('agent.started', { version, node: file.node });
  return {
    backend,
    tls: () => app.configuration()?.tls ?? null,
    emit,
    async stop() {
      ended.abort();
      await keeping;
      await told.close();
      await app.stop();
      links.close();
      await pooler.close();
    },
  };
}
