/**
 * Runs one agent as a process: what it stands on, its servers, and its end by a signal.
 *
 * Invariant: PostgreSQL and the pooler outlive the agent: ending it (SIGTERM, SIGINT) leaves both as they are.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { pino } from 'pino';
import type { EmitEvent } from '../agent/app-node-ports.ts';
import { keepAudit } from '../agent/audit-keeping.ts';
import { createApiServer } from '../api/server.ts';
import { loadNodeFile } from '../config/load-node-file.ts';
import { defaultTlsRules, tlsPolicyOf } from '../core/tls-policy.ts';
import { examiner } from '../doctor/aside.ts';
import { describeError } from '../errors/understudy-error.ts';
import { readCredentials } from '../pki/credential-files.ts';
import { OwnCredentials } from '../pki/own-credentials.ts';
import { RevokedCertificates } from '../pki/revoked-certificates.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { startApp } from './app-node.ts';
import { lateServer } from './certificates.ts';
import { startDatabase } from './database-node.ts';
import type { Foundation } from './foundation.ts';

/** Runs until a signal ends it. Throws CONFIG_INVALID, CONFIG_UNREADABLE, CERTIFICATE_REFUSED, PORT_IN_USE. */
export async function runAgent(nodeFilePath: string): Promise<void> {
  const file = loadNodeFile(nodeFilePath);
  // Its sockets are for others, too.
  mkdirSync(file.directories.run, { recursive: true, mode: 0o755 });
  for (const directory of [file.directories.log, file.directories.state]) {
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
    revoked: new RevokedCertificates(directories.state, () => clock.wallClock().getTime()),
    onBroken: (error) => {
      broken = error;
      end.abort();
    },
  };
  const running = file.role === 'app' ? startApp(foundation) : startDatabase(foundation);
  const { credentials, revoked } = foundation;
  tell = running.emit;
  const server = createApiServer({
    backend: running.backend,
    tls: credentials.current(),
    policy: () => tlsPolicyOf(running.tls() ?? defaultTlsRules, 'api'),
    ...file.api,
    log,
    audit: audit.trail,
    revoked,
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

function untilSignalled(also: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
    also.addEventListener('abort', () => resolve(), { once: true });
  });
}
