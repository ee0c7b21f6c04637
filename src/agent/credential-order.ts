/**
 * Orders other credentials, and lists those that are there. The holder makes them (core/rules/credentials.ts).
 *
 * Invariant: an order raises what is wanted by one from what was seen, so that two orders at once are one rotation, and one of
 * them is told so.
 */
import type { CredentialListing, RotationAnswer, RotationRequest } from '../api/contract/databases.ts';
import type { ClusterView } from '../core/cluster-view.ts';
import { credentialName } from '../core/credential.ts';
import { inUseBy } from '../core/rules/credential-chore.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { encodeRecord } from '../records/codecs.ts';
import { credentialKey } from '../records/keys.ts';
import type { StandingOrderParts } from './standing-order.ts';

const writeWithinMs = 5_000;
/** Of one transaction: etcd takes 128 operations, and each of these is a comparison and a write. */
const orderedAtOnce = 50;

/** Throws NOT_FOUND, CONFLICT, STORE_UNREACHABLE. */
export async function orderRotation(
  parts: StandingOrderParts,
  { application, node }: RotationRequest,
  by: string,
): Promise<RotationAnswer> {
  const { mirror, signal, emit } = parts;
  const chosen = [...mirror.image.credentials.values()].filter(
    ({ value }) => (application ?? value.application) === value.application && (node ?? value.node) === value.node,
  );
  if (chosen.length === 0) {
    const what = `${application === null ? 'an application' : application}${node === null ? '' : ` on ${node}`}`;
    throw new UnderstudyError('NOT_FOUND', `there is no credential of ${what}`, { hint: 'understudy credentials' });
  }
  const ordered = chosen.map(({ value, revision }) => ({
    value: { ...value, wanted: Math.max(value.wanted, value.generation + 1) },
    revision,
  }));
  // One that waits for the same already is as good as ordered.
  const owed = ordered.filter(({ value }, index) => value.wanted !== chosen[index]?.value.wanted);
  let changed = 0;
  for (let from = 0; from < owed.length; from += orderedAtOnce) {
    const some = owed.slice(from, from + orderedAtOnce);
    const result = await mirror.transact(
      some.map(({ value, revision }) => ({ key: credentialKey(value.node, value.application), revision })),
      some.map(({ value }) => ({
        key: credentialKey(value.node, value.application),
        value: encodeRecord('credential', value),
      })),
      { withinMs: writeWithinMs, signal },
    );
    if (!result.committed) changed += some.length;
    else
      for (const { value } of some)
        emit('credential.ordered', { application: value.application, node: value.node, by });
  }
  if (changed > 0)
    throw new UnderstudyError('CONFLICT', `${changed} of ${owed.length} credentials were changed at the same time`, {
      hint: 'order it again: whatever was ordered is not ordered twice',
    });
  return { ordered: ordered.map(({ value }) => ({ ...pairOf(value), generation: value.wanted })) };
}

const pairOf = ({ application, node }: { application: string; node: string }) => ({ application, node });

/** One entry for each application on each of its nodes, also where there is no credential yet. */
export function listCredentials(view: Pick<ClusterView, 'store' | 'reports'>): readonly CredentialListing[] {
  const { spec, credentials, sealing } = view.store;
  const inUse = inUseBy(view);
  return (spec?.value.spec.applications ?? []).flatMap(({ name: application, nodes }) =>
    nodes.map((node): CredentialListing => {
      const record = credentials.get(credentialName(node, application))?.value ?? null;
      return {
        application,
        node,
        generation: record?.generation ?? null,
        wanted: record?.wanted ?? null,
        inUse: inUse(node, application),
        issuedAt: record === null ? null : new Date(record.issuedAtMs).toISOString(),
        issuedBy: record?.issuedBy ?? null,
        isSealable: sealing.has(node),
      };
    }),
  );
}
