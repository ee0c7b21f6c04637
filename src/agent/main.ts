/**
 * Composes the agent from its real adapters, by the node file: the only place that knows them all.
 *
 * PostgreSQL and the pooler outlive the agent: ending it (SIGTERM, SIGINT) leaves both as they are.
 */
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { totalmem, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { poolerReporter, topologySource } from '../api/app-node-links.ts';
import { type AgentClient, createAgentClient } from '../api/client.ts';
import type { AgentBackend } from '../api/contract.ts';
import { createApiServer } from '../api/server.ts';
import { loadNodeFile } from '../config/load-node-file.ts';
import type { NodeFile } from '../config/node-file.ts';
import { keptWalLimitsOf } from '../core/kept-wal.ts';
import { serverConfiguration } from '../core/rules/settings.ts';
import { findNode, type Spec } from '../core/spec.ts';
import { examiner } from '../doctor/aside.ts';
import { checkFence } from '../doctor/fence.ts';
import { checkLostLeases } from '../doctor/lost-leases.ts';
import { checkStoreLatency } from '../doctor/store-latency.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import { openStore } from '../etcd/store-access.ts';
import { createFence } from '../fence/client.ts';
import { Pgbouncer } from '../pgbouncer/pgbouncer.ts';
import { type Credentials, readCredentials } from '../pki/credential-files.ts';
import type { Clock } from '../ports/clock.ts';
import type { WatchedFence } from '../ports/fence.ts';
import { createPostgres } from '../postgres/postgres.ts';
import { syncNames } from '../postgres/sync-names.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { version } from '../version.ts';
import { createAppBackend } from './app-backend.ts';
import { startAppNode } from './app-node.ts';
import { openAppNodeJournal } from './app-node-journal.ts';
import { DatabaseBackend } from './database-backend.ts';
import { DatabaseNode } from './database-node.ts';
import type { ActionLog } from './execution-context.ts';
import { watchFullDisk } from './full-disk-move.ts';
import { createLatePostgres } from './late-postgres.ts';
import { type PeerAgent, Peers } from './peers.ts';
import { promiseFileIn } from './promise-file.ts';
import { rememberSpecIn } from './remembered-spec.ts';
import { checkpointWithinMs } from './switchover-start.ts';

interface Running {
  readonly backend: AgentBackend;
  stop(): Promise<void>;
}

interface Foundation {
  readonly file: NodeFile;
  /** Looks for trouble on this node, beside this process. */
  readonly examine: ReturnType<typeof examiner>;
  readonly clock: Clock;
  readonly log: ActionLog & { debug(facts: object, text: string): void };
  readonly credentials: Credentials;
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
  const foundation: Foundation = {
    file,
    examine: examiner(process.argv[1] ?? '', nodeFilePath),
    clock: createLinuxClock(),
    log,
    credentials: await readCredentials(file.tls),
    onBroken: (error) => {
      broken = error;
      end.abort();
    },
  };
  const running = file.role === 'app' ? startApp(foundation) : startDatabase(foundation);
  const server = createApiServer({ backend: running.backend, tls: foundation.credentials, ...file.api, log });
  try {
    await server.listen();
    await untilSignalled(end.signal);
  } finally {
    await server.close();
    await running.stop();
  }
  if (broken !== null) {
    log.fatal(
      { because: describeError(broken), stack: broken instanceof Error ? broken.stack : undefined },
      'the agent broke',
    );
    throw broken;
  }
}

function untilSignalled(also: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
    also.addEventListener('abort', () => resolve(), { once: true });
  });
}

function startDatabase(foundation: Foundation): Running {
  const { file, clock, log, credentials, examine } = foundation;
  if (file.store === null) throw new UnderstudyError('CONFIG_INVALID', 'a database node needs a `store` section');
  const store = openStore(file.store, file.cluster, clock);
  const { cluster, api } = file;
  const peers = new Peers(
    () => agent.spec(),
    (to) => createAgentClient({ cluster, ...to, port: api.port, tls: credentials }),
  );
  const fence = fenceOf(foundation, () => spec()?.postgres.dataDirectory ?? file.directories.data);
  const remembered = rememberSpecIn(file.directories.state);
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
        ...(file.role === 'witness' ? [] : [checkFence(await fence.peek(), isService)]),
      ];
    },
    disagreements: async (wanted) => {
      // Loaded only for an apply: the loader is a large part of the command line.
      const { specDisagreements } = await import('../config/spec-disagreements.ts');
      return specDisagreements(wanted);
    },
    peer: (node) => peerAgent(peers.link(node)),
  });
  watchFullDisk(agent, backend);
  // Kept up to date, so that an agent that starts without the store knows the newest.
  agent.onChange(() => spec());
  agent.start(foundation.onBroken);
  return {
    backend,
    async stop() {
      await agent.stop();
      peers.close();
      await agent.postgres.close();
      fence.close();
      await store.close();
    },
  };
}

/** Beside this program; it lives on when the agent ends. */
function fenceOf({ file, clock, log: says }: Foundation, data: () => string): WatchedFence {
  const { run, state, log } = file.directories;
  const program = join(dirname(process.argv[1] ?? ''), 'fence.mjs');
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

function peerAgent(known: AgentClient): PeerAgent {
  return {
    switchover: (request, onBehalfOf, signal) => known.switchover(request, { onBehalfOf, signal }),
    cancel: (operation, onBehalfOf) => known.cancel(operation, { onBehalfOf }),
    checkpoint: (signal) => known.checkpoint({ signal, withinMs: checkpointWithinMs }),
  };
}

async function diskFreeBytes(directory: string): Promise<number | null> {
  for (const path of [directory, join(directory, '..')]) {
    const facts = await statfs(path).catch(() => null); // not made yet
    if (facts !== null) return facts.bavail * facts.bsize;
  }
  return null;
}

function startApp(foundation: Foundation): Running {
  const { file, clock, log, credentials, examine } = foundation;
  const agents = file.databaseAgents.map(({ node, address }) => ({
    node,
    address,
    hostName: `${node}.${file.domain}`,
  }));
  const link = { cluster: file.cluster, port: file.api.port, credentials: () => credentials };
  const { state, run, log: logs } = file.directories;
  const pooler = new Pgbouncer({ state, run, log: logs, tls: file.tls, program: file.binaries.pgbouncer });
  const reporter = poolerReporter(link);
  const app = startAppNode(
    {
      node: file.node,
      cluster: file.cluster,
      listenAddress: file.pooler.listenAddress,
      agents,
      pooler,
      source: topologySource(link),
      reporter,
      journal: openAppNodeJournal(join(state, 'app-node.json'), join(run, 'app-node.json')),
      clock,
      emit: (event, facts) => log.info({ event, ...facts }, event),
    },
    foundation.onBroken,
  );
  const backend = createAppBackend({
    cluster: file.cluster,
    node: file.node,
    version,
    app,
    databaseNodes: () => new Set(agents.map((agent) => agent.node)),
    doctor: examine,
    now: () => clock.wallClock(),
  });
  return {
    backend,
    async stop() {
      await app.stop();
      reporter.close();
      await pooler.close();
    },
  };
}
