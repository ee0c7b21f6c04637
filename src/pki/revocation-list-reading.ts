/**
 * Reads lists of revoked certificates (RFC 5280 section 5) and judges whether verifiers may be given them. With `node:crypto`
 * alone: agents at rest ask this too.
 *
 * Invariant: a verifier with a list that is damaged, forged or too old refuses everybody, and one that lacks a list of any
 * authority in a chain does, too. So a bundle is whole, or there is none. Not decided here: what to do without one.
 */
import { verify, type X509Certificate } from 'node:crypto';
import type { RevocationListRecord } from '../core/revocation.ts';
import { readCertificates } from './trust.ts';

export interface ReadList {
  readonly authority: X509Certificate;
  readonly isRoot: boolean;
  readonly pem: string;
  readonly serials: ReadonlySet<string>;
  /** Wall clock, each. */
  readonly issuedAtMs: number;
  readonly endsAtMs: number;
}

export type ListReading =
  | { readonly ok: true; readonly list: ReadList }
  | { readonly ok: false; readonly because: string };

interface Element {
  readonly tag: number;
  /** With tag and length. */
  readonly whole: Buffer;
  readonly content: Buffer;
}

const tags = { integer: 0x02, bits: 0x03, sequence: 0x30, utcTime: 0x17, generalizedTime: 0x18 } as const;

/** `signature`: was it the authority itself who signed it? Whether that one is trusted is another question. */
export function readRevocationList({ authority: authorityPem, list: pem }: RevocationListRecord): ListReading {
  const no = (because: string): ListReading => ({ ok: false, because });
  const [authority] = readCertificates(authorityPem) ?? [];
  if (authority?.ca !== true) return no('its authority is none');
  const body = /^-----BEGIN X509 CRL-----\n([A-Za-z0-9+/=\n]+)-----END X509 CRL-----\n$/.exec(pem)?.[1];
  if (body === undefined) return no('it is no list in PEM');
  try {
    const [whole, ...behind] = elementsIn(Buffer.from(body, 'base64'));
    const [signed, algorithm, signature, ...more] = elementsIn(required(whole, tags.sequence).content);
    if (behind.length + more.length > 0) return no('there is more than a list');
    const signedBytes = required(signed, tags.sequence).whole;
    // The first byte counts the bits that are not used.
    const [unused, ...signatureBytes] = required(signature, tags.bits).content;
    if (unused !== 0) return no('its signature is damaged');
    if (!verify('sha256', signedBytes, authority.publicKey, Buffer.from(signatureBytes))) {
      return no(`${authority.subject} has not signed it`);
    }
    const parts = elementsIn(required(signed, tags.sequence).content);
    if (parts[0]?.tag === tags.integer) parts.shift();
    const [inside, issuer, from, to, revoked] = parts;
    if (!required(inside, tags.sequence).whole.equals(required(algorithm, tags.sequence).whole)) {
      return no('it names two algorithms');
    }
    if (!required(issuer, tags.sequence).whole.equals(subjectOf(authority))) return no('it names another authority');
    const entries = revoked?.tag === tags.sequence ? elementsIn(revoked.content) : [];
    const serials = entries.map((entry) => serialOf(required(elementsIn(entry.content)[0], tags.integer)));
    const isRoot = authority.checkIssued(authority);
    const span = { issuedAtMs: timeOf(from), endsAtMs: timeOf(to) };
    return { ok: true, list: { authority, isRoot, pem, serials: new Set(serials), ...span } };
  } catch {
    return no('it is damaged');
  }
}

export type Bundle = { readonly ok: true; readonly pem: string } | { readonly ok: false; readonly because: string };

/**
 * The lists that a verifier of the cluster's certificates needs, in one text. `chainsPem`: certificates that are in use, with
 * those of their authorities. Lists of authorities that nobody trusts (any more) are left out.
 */
export function bundleOf(
  records: readonly RevocationListRecord[],
  { rootsPem, chainsPem }: { readonly rootsPem: string; readonly chainsPem: readonly string[] },
  nowMs: number,
): Bundle {
  const no = (because: string): Bundle => ({ ok: false, because });
  const roots = readCertificates(rootsPem) ?? [];
  const rootOf = (one: X509Certificate) => roots.find((root) => one.checkIssued(root) && one.verify(root.publicKey));
  const inUse = [
    ...records.flatMap(({ authority }) => readCertificates(authority)?.[0] ?? []),
    ...chainsPem.flatMap((pem) => readCertificates(pem) ?? []).filter(({ ca }) => ca),
  ].filter((one) => Date.parse(one.validTo) > nowMs);
  const needed = new Map<string, X509Certificate>();
  for (const one of inUse) {
    const root = rootOf(one);
    if (root === undefined) continue;
    needed.set(one.fingerprint256, one);
    needed.set(root.fingerprint256, root);
  }
  const texts: string[] = [];
  for (const [fingerprint, { subject }] of needed) {
    const record = records.find(({ authority }) => readCertificates(authority)?.[0]?.fingerprint256 === fingerprint);
    if (record === undefined) return no(`there is no list of ${subject}`);
    const reading = readRevocationList(record);
    if (!reading.ok) return no(`the list of ${subject}: ${reading.because}`);
    const { issuedAtMs, endsAtMs, pem } = reading.list;
    if (!(issuedAtMs <= nowMs && nowMs < endsAtMs)) return no(`the list of ${subject} is not of this time`);
    texts.push(pem);
  }
  return texts.length === 0 ? no('there is none yet') : { ok: true, pem: texts.join('') };
}

/** Which of these lists is of which root. */
export function listsOfRoots(rootsPem: string, listsPem: string): readonly RevocationListRecord[] {
  const lists = listsPem.match(/-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g) ?? [];
  const roots = (readCertificates(rootsPem) ?? []).map((root) => root.toString());
  return roots.flatMap((authority) =>
    lists.map((list) => ({ authority, list: `${list}\n` })).filter((record) => readRevocationList(record).ok),
  );
}

/** Throws `RangeError`. */
function elementsIn(bytes: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes.readUInt8(at);
    const first = bytes.readUInt8(at + 1);
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    if (lengthBytes > 4 || first === 0x80) throw new RangeError('a length that is none of DER');
    const begin = at + 2 + lengthBytes;
    const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes);
    if (begin + length > bytes.length) throw new RangeError('it ends too early');
    elements.push({ tag, whole: bytes.subarray(at, begin + length), content: bytes.subarray(begin, begin + length) });
    at = begin + length;
  }
  return elements;
}

/** Throws `RangeError`. */
function required(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag) throw new RangeError('another element was expected');
  return element;
}

/** As Node writes serial numbers: without the zero that keeps them positive. */
function serialOf({ content }: Element): string {
  const bytes = content.length > 1 && content[0] === 0 ? content.subarray(1) : content;
  return bytes.toString('hex').toUpperCase();
}

/** Throws `RangeError`. RFC 5280 section 5.1.2.4: two digits of the year until 2049, four later, always UTC. */
function timeOf(element: Element | undefined): number {
  const text = element?.content.toString('latin1') ?? '';
  const whole = element?.tag === tags.utcTime ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text;
  const isTime = element?.tag === tags.utcTime || element?.tag === tags.generalizedTime;
  const match = isTime ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(whole) : null;
  if (match === null) throw new RangeError('no time');
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** As DER: after version, serial number, algorithm, issuer and dates (RFC 5280 section 4.1). Throws `RangeError`. */
function subjectOf({ raw }: X509Certificate): Buffer {
  const [whole] = elementsIn(raw);
  const [signed] = elementsIn(required(whole, tags.sequence).content);
  return required(elementsIn(required(signed, tags.sequence).content)[5], tags.sequence).whole;
}
