/**
 * Which roots the cluster trusts, as whoever holds one says: written to the store, where every node finds it; and what of the cluster
 * does not follow yet.
 *
 * Invariant: a statement is judged here before it is written, and each follows the last. One that drops a root is refused while
 * anything rests on that: no node is left behind, and no secret that only that root could vouch for.
 */
import type { TrustAnswers } from '../api/contract/certificates.ts';
import { holderOf } from '../core/certificates.ts';
import type { Spec } from '../core/spec.ts';
import type { TrustRecord, TrustState, TrustStatement } from '../core/trust-record.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { RootFiles, RootReader } from '../ports/trust.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys, trustingKey } from '../records/keys.ts';
import type { StoreImage } from '../records/store-image.ts';
import type { DatabaseNode } from './database-node.ts';
import type { StandingOrderParts } from './standing-order.ts';

export interface TrustOrderParts extends StandingOrderParts {
  readonly files: Pick<RootFiles, 'judge'>;
  readonly reader: RootReader;
  /** By app node, as heard here: newer than in the store. */
  readonly reported: () => ReadonlyMap<string, number>;
}

const writeWithinMs = 5_000;

export function trustAnswers(parts: TrustOrderParts): TrustAnswers {
  return { state: () => trustState(parts), say: (record, by) => say(parts, record, by) };
}

function trustState(parts: TrustOrderParts): TrustState {
  const { clock, files, mirror, reader, reported } = parts;
  const { image } = mirror;
  const record = image.trust?.value ?? null;
  const nodes = (specOf(image)?.nodes ?? []).map(({ name, role }) => ({
    node: name,
    number:
      role === 'app'
        ? (reported().get(name) ?? image.poolers.get(name)?.value.trust ?? null)
        : (image.trusting.get(name)?.value.number ?? null),
  }));
  const judged = record === null ? null : files.judge(record);
  const resting = judged?.ok === true ? restingElsewhere(image, judged.statement, reader, clock.wallClock()) : [];
  return { record, nodes, resting };
}

async function say(parts: TrustOrderParts, record: TrustRecord, by: string) {
  const { emit, files, mirror, signal } = parts;
  const { image } = mirror;
  const last = image.trust?.value.number ?? 0;
  if (record.number !== last + 1) {
    throw new UnderstudyError('CONFLICT', `the last statement has number ${last}, this one ${record.number}`);
  }
  const judged = files.judge(record);
  if (!judged.ok) throw new UnderstudyError('CERTIFICATE_REFUSED', `the statement is refused: ${judged.because}`);
  const isRollover = judged.statement.rootsPem.split('BEGIN CERTIFICATE').length > 2;
  if (!isRollover) refuseWhileNeeded(parts, last);
  const result = await mirror.transact(
    [{ key: keys.trust, revision: image.trust?.revision ?? 'absent' }],
    [{ key: keys.trust, value: encodeRecord('trust', record) }],
    { withinMs: writeWithinMs, signal },
  );
  if (!result.committed) throw new UnderstudyError('CONFLICT', 'another statement came at the same time');
  emit('trust.stated', { by, number: record.number, roots: isRollover ? 2 : 1 });
  return { accepted: true, because: `statement ${record.number} is for every node to take over` };
}

/** What this node goes by, for whoever waits for it. Throws STORE_UNREACHABLE. */
export async function reportTrust(
  { mirror, node, signal }: Pick<DatabaseNode, 'mirror' | 'node' | 'signal'>,
  number: number,
): Promise<void> {
  if (mirror.image.trusting.get(node)?.value.number === number) return;
  const write = { key: trustingKey(node), value: encodeRecord('trusting', { node, number }) };
  await mirror.transact([], [write], { withinMs: writeWithinMs, signal });
}

export function trustReported({ all }: Pick<DatabaseNode['reports'], 'all'>): ReadonlyMap<string, number> {
  return new Map([...all].flatMap(([node, { report }]) => (report.trust === undefined ? [] : [[node, report.trust]])));
}

function refuseWhileNeeded(parts: TrustOrderParts, last: number): void {
  const { nodes, resting } = trustState(parts);
  const behind = nodes.filter(({ number }) => number !== last).map(({ node }) => `${node} has not followed`);
  const still = [...behind, ...resting];
  if (last === 0 || still.length === 0) return;
  throw new UnderstudyError('REFUSED', `the former root is still needed: ${still.join('; ')}`, {
    hint: 'understudy ca rollover --issue has the cluster issue all of it anew',
  });
}

/**
 * What would be trusted by nobody if certificates were issued from one root alone. What lies on a node that is declared no more is
 * good for nothing already, and nobody would renew it.
 */
export function restingElsewhere(
  image: StoreImage,
  { issueFrom }: TrustStatement,
  reader: RootReader,
  now: Date,
): readonly string[] {
  const newest = new Map<
    string,
    { readonly issuedAt: string; readonly root?: string | undefined; readonly text: string }
  >();
  const declared = specOf(image)?.nodes.map(({ name }) => name);
  const isGone = (node: string | null) => node !== null && declared?.includes(node) === false;
  for (const { value } of image.certificates.values()) {
    const holder = holderOf(value);
    const { expiresAt, issuedAt, kind, name, root, serial, where } = value;
    if (image.revocations.has(serial) || isGone(where)) continue;
    if (expiresAt <= now.toISOString() || (newest.get(holder)?.issuedAt ?? '') > issuedAt) continue;
    const place = where === null || where === name ? '' : ` on ${where}`;
    newest.set(holder, { issuedAt, root, text: `the certificate of ${kind} ${name}${place}` });
  }
  const certificates = [...newest.values()].filter(({ root }) => root !== issueFrom).map(({ text }) => text);
  const sealed = [
    ...[...image.credentials.values()].map(({ value }) => ({
      node: value.node,
      text: `the password of ${value.application} on ${value.node}`,
      sealed: value.sealed,
    })),
    ...[...image.secrets].map(([place, { value }]) => ({
      node: place.split('/')[0] ?? '',
      text: `the secret ${place}`,
      sealed: value,
    })),
  ];
  const owed = sealed.filter((one) => !isGone(one.node) && reader.ofSealed(one.sealed) !== issueFrom);
  const secrets = owed.map(({ text }) => text);
  return [...certificates, ...secrets].sort();
}

function specOf(image: StoreImage): Spec | undefined {
  return image.spec?.value.spec;
}
