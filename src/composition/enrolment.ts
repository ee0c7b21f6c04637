/** How new nodes come in on a database node: what is known of tokens, and the port where they are shown. */
import type { DatabaseNode } from '../agent/database-node.ts';
import { Enrolment } from '../agent/enrolment.ts';
import { keepEnrolmentDoor } from '../agent/enrolment-door.ts';
import type { Issuing } from '../agent/issuing.ts';
import type { AgentBackend } from '../api/contract/backend.ts';
import { createEnrolmentServer } from '../api/enrolment-server.ts';
import { enrolmentPort } from '../config/node-file.ts';
import { isSecretOf } from '../pki/enrolment-token.ts';
import type { Foundation } from './foundation.ts';

export function enrolmentOf(
  { clock, credentials, file }: Foundation,
  { emit, mirror, signal }: DatabaseNode,
  issuing: Issuing,
): Enrolment {
  const { api, cluster } = file;
  return new Enrolment({
    ...{ mirror, clock, signal, emit, issuing },
    isSecretOf: (secret, node, digest) => isSecretOf(cluster, node, secret, digest),
    ports: { api: api.port, enrolment: enrolmentPort(api) },
    rootsPem: () => credentials.current().caPem,
  });
}

/** Until the agent ends. */
export async function enrolmentDoor(
  { audit, clock, credentials, file, log }: Foundation,
  backend: AgentBackend,
  enrolment: Enrolment,
  signal: AbortSignal,
): Promise<void> {
  const server = createEnrolmentServer({
    ...{ backend, tls: credentials.current, address: file.api.address, port: enrolmentPort(file.api), log },
    ...{ audit: audit.trail, nowMs: () => clock.boottimeMs() },
  });
  credentials.onRenewal(() => server.renew());
  await keepEnrolmentDoor({ server, isAwaited: () => enrolment.isAwaited, clock, log, signal });
}
