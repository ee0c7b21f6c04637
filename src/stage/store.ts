/**
 * A stage's store: its members started, with a user for every agent.
 *
 * Invariant: may be called again for what is missing; members that run are left as they are.
 */
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { enrolStore } from '../etcd/enrolment.ts';
import { clusterPrefix } from '../etcd/store-access.ts';
import { readCredentials } from '../pki/credential-files.ts';
import type { Clock } from '../ports/clock.ts';
import { certificatesOf } from './certificates.ts';
import { launchStore } from './launch.ts';
import { stagePorts } from './network.ts';
import { storeRootPassword, storeUser } from './node-files.ts';
import { type StageRecord, storeHosts } from './record.ts';

const storeWithinMs = 30_000;
const pollMs = 100;

interface Waiting {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** Throws STORE_UNREACHABLE when it does not answer within 30 s; STAGE_FAILED, PROCESS_FAILED, STORE_DENIED. */
export async function startStore(record: StageRecord, { clock, signal }: Waiting): Promise<void> {
  for (const host of storeHosts(record)) await launchStore(record, host);
  const until = clock.boottimeMs() + storeWithinMs;
  for (;;) {
    try {
      await enrolAgents(record, clock);
      return;
    } catch (error) {
      if (!isUnderstudyError(error, 'STORE_UNREACHABLE') || clock.boottimeMs() > until) throw error;
      await clock.sleep(pollMs, signal);
    }
  }
}

/** Users and roles for every agent of the record. */
export async function enrolAgents(record: StageRecord, clock: Clock): Promise<void> {
  const [first] = storeHosts(record);
  const client = record.nodes.find((node) => node.role !== 'app');
  if (first === undefined || client === undefined)
    throw new UnderstudyError('BROKEN_INVARIANT', 'a stage without a store member');
  const tls = await readCredentials(certificatesOf(record, client.name).storeClient);
  await enrolStore({
    endpoint: `https://${first.address}:${stagePorts.storeClient}`,
    tls: { ca: tls.caPem, certificate: tls.certificatePem, key: tls.keyPem },
    rootPassword: storeRootPassword(record),
    prefix: clusterPrefix(record.cluster),
    users: record.nodes.filter((node) => node.role !== 'app').map((node) => storeUser(record, node)),
    clock,
  });
}
