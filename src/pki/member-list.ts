/**
 * The list of revoked certificates that the member of the store beside an agent judges its clients by. etcd reads the file at every
 * handshake, and of it the first list alone; it compares serial numbers and nothing else. So one list will do that has all of them,
 * as each issuing authority's has, whoever issued the certificates.
 *
 * Invariant: once it is there it stays, and whole: without it the member refuses everybody. What stands in it and is still to be
 * remembered never leaves it, whatever the store says later.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'node:path';
import type { RevocationListRecord } from '../core/revocation.ts';
import { replaceFile } from './credential-files.ts';
import { type ReadList, readRevocationList } from './revocation-list-reading.ts';
import { readCertificates } from './trust.ts';

/** Beside the member's certificate. */
export function memberListFile({ certificate }: { readonly certificate: string }): string {
  const { dir, name } = parse(certificate);
  return `${dir}/${name}.crl`;
}

export interface MemberListParts {
  readonly file: string;
  /** PEM, of now. */
  readonly rootsPem: () => string;
  readonly isRevoked: (serial: string) => boolean;
}

export class MemberList {
  readonly #parts: MemberListParts;

  constructor(parts: MemberListParts) {
    this.#parts = parts;
  }

  /** As the store has them. Answers whether the file was replaced. Throws what the file system throws. */
  async renew(records: readonly RevocationListRecord[]): Promise<boolean> {
    const { file, isRevoked, rootsPem } = this.#parts;
    const fullest = fullestList(records, rootsPem());
    const present = readText(file);
    if (fullest === null || fullest.pem === present) return false;
    const listed = present === null ? null : listedIn(present, records);
    const loses = [...(listed ?? [])].some((serial) => isRevoked(serial) && !fullest.serials.has(serial));
    if (loses) return false;
    await replaceFile(file, fullest.pem, 0o644, null);
    return true;
  }
}

/** Of those that an authority has signed which a root vouches for. */
function fullestList(records: readonly RevocationListRecord[], rootsPem: string): ReadList | null {
  const roots = readCertificates(rootsPem) ?? [];
  const lists = records.flatMap((record) => {
    const reading = readRevocationList(record);
    if (!reading.ok) return [];
    const { authority } = reading.list;
    const isTrusted = roots.some((root) => authority.checkIssued(root) && authority.verify(root.publicKey));
    return isTrusted ? [reading.list] : [];
  });
  const byContent = (a: ReadList, b: ReadList) => b.serials.size - a.serials.size || b.issuedAtMs - a.issuedAtMs;
  return lists.toSorted(byContent)[0] ?? null;
}

/** `null`: it is of an authority that nobody knows any more. */
function listedIn(list: string, records: readonly RevocationListRecord[]): ReadonlySet<string> | null {
  for (const { authority } of records) {
    const reading = readRevocationList({ authority, list });
    if (reading.ok) return reading.list.serials;
  }
  return null;
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null; // it is written now
  }
}
