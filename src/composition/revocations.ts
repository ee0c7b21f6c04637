/** What a database node's agent does about revoked certificates, put together. */
import { readFileSync } from 'node:fs';
import type { DatabaseNode } from '../agent/database-node.ts';
import { keepMemberList } from '../agent/member-list-keeping.ts';
import { enforceRevocations } from '../agent/revocation-enforcement.ts';
import { RevocationPublishing } from '../agent/revocation-publishing.ts';
import type { RevocationListRecord } from '../core/revocation.ts';
import { rootListFile } from '../pki/founding.ts';
import { MemberList, memberListFile } from '../pki/member-list.ts';
import { listsOfRoots, readRevocationList } from '../pki/revocation-list-reading.ts';
import { RevocationLists } from '../pki/revocation-lists.ts';
import { readCertificates } from '../pki/trust.ts';
import { signerOf } from './certificates.ts';
import type { Foundation } from './foundation.ts';

/** Most changes of the store are others. */
export function hearingRevocations({ revoked }: Foundation, { mirror }: DatabaseNode): () => void {
  let heard: unknown = null;
  return () => {
    const { revocations } = mirror.image;
    if (revocations === heard) return;
    heard = revocations;
    revoked.learn([...revocations.values()].map(({ value }) => value));
  };
}

/** `self` is asked once it is there. */
export function revocationLists({ file, clock, credentials, revoked }: Foundation, self: () => DatabaseNode) {
  return new RevocationLists({
    stateDirectory: file.directories.state,
    revoked,
    // Of now: PostgreSQL reads this very file.
    rootsPem: () => readFileSync(file.tls.ca, 'utf8'),
    besideRootsPem: () => readOptional(rootListFile(file)),
    chainsPem: () => [
      credentials.current().certificatePem,
      self().mirror.image.authority?.value.certificatePem ?? '',
      ...[...self().mirror.image.sealing.values()].map(({ value }) => value.chainPem),
    ],
    nowMs: () => clock.wallClock().getTime(),
  });
}

function readOptional(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // the store may have it
  }
}

/** Each ends with the agent. */
export function revocationChores(
  foundation: Foundation,
  lists: RevocationLists,
  agent: DatabaseNode,
): readonly Promise<void>[] {
  const { file, clock, credentials, log, revoked } = foundation;
  const { mirror, postgres, signal } = agent;
  const onChange = (listener: () => void) => agent.onChange(listener);
  const ofMember = memberListOf(foundation);
  const members =
    ofMember === null
      ? []
      : [keepMemberList({ image: () => mirror.image, onChange, renew: ofMember, clock, signal, log })];
  if (file.role !== 'database') return members;
  const publishing = new RevocationPublishing({
    self: file.node,
    mirror,
    onChange,
    signer: signerOf(foundation),
    beside: () => listsOfRoots(readFileSync(file.tls.ca, 'utf8'), readOptional(rootListFile(file)) ?? ''),
    read(record) {
      const [authority] = readCertificates(record.authority) ?? [];
      if (authority === undefined) return null;
      const reading = readRevocationList(record);
      const { serialNumber: serial } = authority;
      return { serial, isRoot: authority.checkIssued(authority), revoked: reading.ok ? reading.list.serials : null };
    },
    authorityInUse() {
      const named = mirror.image.authority?.value.certificatePem;
      const [authority] = readCertificates(named ?? credentials.current().certificatePem)?.filter(({ ca }) => ca) ?? [];
      return authority?.serialNumber ?? null;
    },
    ...{ clock, signal, log },
  });
  const enforcement = { image: () => mirror.image, onChange, revoked, lists, postgres, clock, signal, log };
  return [publishing.run(), enforceRevocations(enforcement), ...members];
}

/** `null`: no member of the store is beside this agent. */
function memberListOf({
  file,
  revoked,
}: Foundation): ((records: readonly RevocationListRecord[]) => Promise<boolean>) | null {
  const server = file.store?.server;
  if (server === undefined) return null;
  const list = new MemberList({
    file: memberListFile(server),
    rootsPem: () => readFileSync(file.tls.ca, 'utf8'),
    isRevoked: (serial) => revoked.has(serial),
  });
  return (records) => list.renew(records);
}
