/** Composes the agent of an app node. */
import { join } from 'node:path';
import { createAppBackend } from '../agent/app-backend.ts';
import { startAppNode } from '../agent/app-node.ts';
import { openAppNodeJournal } from '../agent/app-node-journal.ts';
import type { EmitEvent } from '../agent/app-node-ports.ts';
import { renewForEver } from '../agent/certificate-renewal.ts';
import { OwnCertificates } from '../agent/own-certificates.ts';
import { TrustKeeping } from '../agent/trust-keeping.ts';
import { poolerReporter, topologySource } from '../api/app-node-links.ts';
import { FilesOfApplications } from '../applications/application-files.ts';
import { applicationsDirectory } from '../config/node-file.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { Pgbouncer } from '../pgbouncer/pgbouncer.ts';
import { readCredentials } from '../pki/credential-files.ts';
import { createCredentialKeeper } from '../secrets/credential-keeper.ts';
import { version } from '../version.ts';
import { askedOf, ownCertificateParts, renewalOf, secretsOf } from './certificates.ts';
import type { Foundation, Running } from './foundation.ts';

/** Logins under way come to their end first. */
const poolerReloadWithinMs = 10_000;

function refuseAcceptance(): Promise<never> {
  return Promise.reject(new UnderstudyError('REFUSED', 'the agents of database nodes take this order'));
}

export function startApp(foundation: Foundation): Running {
  const { audit, file, clock, log, credentials, examine, revoked } = foundation;
  const agents = file.databaseAgents.map(({ node, address }) => ({
    node,
    address,
    hostName: `${node}.${file.domain}`,
  }));
  const { current, onRenewal } = credentials;
  const link = { cluster: file.cluster, port: file.api.port, credentials: current, onRenewal, revoked };
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
  const connectionFiles = new FilesOfApplications(
    { directory: applicationsDirectory(file), socketDirectory: run, authority: file.tls.ca },
    pooler.passwords,
  );
  const { trust, ...renewing } = renewalOf(foundation, ended.signal);
  const takeUp = async (): Promise<void> => {
    credentials.replace(await readCredentials(file.tls));
    await pooler.renewCertificate({ withinMs: poolerReloadWithinMs });
  };
  const keeping = new TrustKeeping({
    files: trust.files,
    wanted: () => app.configuration()?.trust ?? null,
    takeUp: async () => {
      await takeUp();
      await connectionFiles.renewAuthority();
    },
    clock,
    signal: ended.signal,
    tell: (event, facts) => emit(event, { node: file.node, ...facts }),
  });
  const own = new OwnCertificates({
    ...ownCertificateParts(foundation, ended.signal),
    isOutdated: trust.isOwnOutdated,
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
      files: connectionFiles,
      source: topologySource(link),
      reporter: {
        report: (agent, report, options) =>
          links.report(
            agent,
            { ...report, audit: audit.log.anchorable ?? undefined, trust: keeping.inForce ?? undefined },
            options,
          ),
      },
      secrets,
      revoked,
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
    audit: { ...audit.answers, anchors: () => [], accept: refuseAcceptance },
  });
  const renewal = renewForEver({
    ...renewing,
    sources,
    declaredLifeMs: () => app.configuration()?.certificateLifeMs ?? null,
    renewed: takeUp,
    tell: (event, facts) => emit(event, { node: file.node, ...facts }),
  }).catch(foundation.onBroken);
  const chores = [own.runForEver(), keeping.runForEver()].map((chore) => chore.catch(foundation.onBroken));
  emit('agent.started', { version, node: file.node });
  return {
    backend,
    tls: () => app.configuration()?.tls ?? null,
    emit,
    async stop() {
      ended.abort();
      await renewal;
      await Promise.all(chores);
      await app.stop();
      links.close();
      await pooler.close();
    },
  };
}
