/**
 * What a rollover of the authority leaves to whoever runs the machines, done for a stage: the roots of people and of hosts without an
 * agent, their certificates, and a new start of each member of the store, which reads its roots when it starts.
 *
 * Invariant: one member is down at a time, and the next is not touched before that one serves again. May be done again.
 */
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Authority } from '../pki/authority.ts';
import { replaceFile } from '../pki/credential-files.ts';
import type { Clock } from '../ports/clock.ts';
import { isAlive } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import { certificatesOf, writeMemberCertificate, writePersonCertificate } from './certificates.ts';
import { launchStore } from './launch.ts';
import { stagePorts } from './network.ts';
import { stageProcesses } from './processes.ts';
import { publishCertificates } from './publication.ts';
import { personDirectory, type StageHost, type StageRecord, stagePeople, storeHosts } from './record.ts';

const servesWithinMs = 30_000;
const pollMs = 100;

/** Where no agent does it. */
export async function trustOnStage(record: StageRecord, rootsPem: string): Promise<void> {
  const owner = process.getuid?.() === 0 ? record.user : null;
  for (const person of stagePeople) {
    await replaceFile(join(personDirectory(record, person), 'ca.crt'), rootsPem, 0o644, null);
  }
  for (const { name } of hostsAlone(record)) {
    await replaceFile(certificatesOf(record, name).storeServer.ca, rootsPem, 0o644, owner);
  }
}

/** For people, and for members of the store beside which no agent runs. */
export async function issueOnStage(record: StageRecord, authority: Authority, clock: Clock): Promise<void> {
  for (const person of stagePeople) await writePersonCertificate(record, person, authority, 'anew');
  for (const host of hostsAlone(record)) await writeMemberCertificate(record, host, authority, 'anew');
  await publishCertificates(record, clock);
}

export async function restartStore(record: StageRecord, clock: Clock): Promise<void> {
  for (const host of storeHosts(record)) {
    for (const found of stageProcesses(record).filter(({ kind, node }) => kind === 'store' && node === host.name)) {
      sendSignal(found, 'SIGTERM');
      while (isAlive(found)) await clock.sleep(pollMs);
    }
    await launchStore(record, host);
    await untilServing(record, host, clock);
  }
}

function hostsAlone(record: StageRecord): readonly StageHost[] {
  return storeHosts(record).filter(
    ({ name }) => !record.nodes.some((node) => node.name === name && node.role !== 'app'),
  );
}

async function untilServing(record: StageRecord, host: StageHost, clock: Clock): Promise<void> {
  const until = clock.boottimeMs() + servesWithinMs;
  while (!(await isServing(record, host))) {
    if (clock.boottimeMs() > until) {
      throw new UnderstudyError('STORE_UNREACHABLE', `the member of the store on ${host.name} does not serve again`, {
        hint: `read ${host.name}/log/etcd.log in the stage's directory`,
      });
    }
    await clock.sleep(pollMs);
  }
}

/** With a leader, as it says itself. */
function isServing(record: StageRecord, { address }: StageHost): Promise<boolean> {
  const [client] = record.nodes.filter(({ name, role }) => role !== 'app' && existsSync(filesOf(record, name).key));
  if (client === undefined) return Promise.resolve(false);
  const files = filesOf(record, client.name);
  const [ca, cert, key] = [files.ca, files.certificate, files.key].map((path) => readFileSync(path));
  return new Promise((resolve) => {
    const where = `https://${address}:${stagePorts.storeClient}/health`;
    const asked = request(where, { ca, cert, key, timeout: 1_000, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text.includes('"health":"true"')));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(false));
    asked.end();
  });
}

function filesOf(record: StageRecord, node: string) {
  return certificatesOf(record, node).storeClient;
}
