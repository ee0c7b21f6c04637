/**
 * Orders other credentials, and lists those that are there. The holder makes the logins' (core/rules/credentials.ts), and each app node its
 * applications' own passwords.
 *
 * Invariant: an order raises what is wanted by one from what was seen, so that two orders at once are one rotation, and one of
 * them is told so. A password by which clients are connected ends by no order that did not say so.
 */
import type { CredentialListing, RotationAnswer, RotationRequest } from '../api/contract/databases.ts';
import type { ClusterView, Stored } from '../core/cluster-view.ts';
import { type CredentialRecord, credentialName } from '../core/credential.ts';
import { clientPasswordAt, inUseBy } from '../core/rules/credential-chore.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { encodeRecord } from '../records/codecs.ts';
import { credentialKey } from '../records/keys.ts';
import type { StandingOrderParts } from './standing-order.ts';

const writeWithinMs = 5_000;
/** Of one transaction: etcd takes 128 operations, and each of these is a comparison and a write. */
const orderedAtOnce = 50;

type Reports = Pick<ClusterView, 'store' | 'reports'>;

/** Throws NOT_FOUND, REFUSED, CONFLICT, STORE_UNREACHABLE. */
export async function orderRotation(
  parts: StandingOrderParts,
  view: Reports,
  request: RotationRequest,
  by: string,
): Promise<RotationAnswer> {
  const chosen = chosenBy(request, [...parts.mirror.image.credentials.values()]);
  if (request.what === 'client-password' && !request.force) refuseWhileFormerIsUsed(view, chosen);
  const field = request.what === 'login' ? 'wanted' : 'clientPassword';
  const ordered = chosen.map(({ value, revision }) => {
    const generation = request.what === 'login' ? wantedLogin(value) : wantedPassword(view, value);
    return { generation, isNew: generation !== value[field], value: { ...value, [field]: generation }, revision };
  });
  // One that waits for the same already is as good as ordered.
  const owed = ordered.filter(({ isNew }) => isNew);
  await writeAll(parts, owed, request.what, by);
  return { ordered: ordered.map(({ value, generation }) => ({ ...pairOf(value), generation })) };
}

function chosenBy(
  { application, node }: RotationRequest,
  all: readonly Stored<CredentialRecord>[],
): readonly Stored<CredentialRecord>[] {
  const chosen = all.filter(
    ({ value }) => (application ?? value.application) === value.application && (node ?? value.node) === value.node,
  );
  if (chosen.length > 0) return chosen;
  const what = `${application === null ? 'an application' : application}${node === null ? '' : ` on ${node}`}`;
  throw new UnderstudyError('NOT_FOUND', `there is no credential of ${what}`, { hint: 'understudy credentials' });
}

function wantedLogin({ wanted, generation }: CredentialRecord): number {
  return Math.max(wanted, generation + 1);
}

/** One more than applications are told, which an order that is not carried out yet has asked for already. */
function wantedPassword(view: Reports, { clientPassword, node, application }: CredentialRecord): number {
  const told = clientPasswordAt(view, node, application)?.told;
  return told === undefined ? clientPassword + 1 : Math.max(clientPassword, told + 1);
}

function refuseWhileFormerIsUsed(view: Reports, chosen: readonly Stored<CredentialRecord>[]): void {
  const using = chosen.flatMap(({ value: { application, node } }) => {
    const former = clientPasswordAt(view, node, application)?.former ?? 0;
    return former === 0 ? [] : [`${application} on ${node} (${former})`];
  });
  if (using.length === 0) return;
  const message = `clients are connected by the password before, which this would end: ${using.join(', ')}`;
  throw new UnderstudyError('REFUSED', message, {
    hint: 'let these applications read their files again, or say --force',
  });
}

async function writeAll(
  { mirror, signal, emit }: StandingOrderParts,
  owed: readonly Stored<CredentialRecord>[],
  what: RotationRequest['what'],
  by: string,
): Promise<void> {
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
    const event = what === 'login' ? 'credential.ordered' : 'client_password.ordered';
    if (!result.committed) changed += some.length;
    else for (const { value } of some) emit(event, { ...pairOf(value), by });
  }
  if (changed > 0)
    throw new UnderstudyError('CONFLICT', `${changed} of ${owed.length} credentials were changed at the same time`, {
      hint: 'order it again: whatever was ordered is not ordered twice',
    });
}

const pairOf = ({ application, node }: { application: string; node: string }) => ({ application, node });

/** One entry for each application on each of its nodes, also where there is no credential yet. */
export function listCredentials(view: Reports): readonly CredentialListing[] {
  const { spec, credentials, sealing } = view.store;
  const inUse = inUseBy(view);
  return (spec?.value.spec.applications ?? []).flatMap(({ name: application, nodes }) =>
    nodes.map((node): CredentialListing => {
      const record = credentials.get(credentialName(node, application))?.value ?? null;
      const used = clientPasswordAt(view, node, application);
      return {
        application,
        node,
        generation: record?.generation ?? null,
        wanted: record?.wanted ?? null,
        inUse: inUse(node, application),
        issuedAt: record === null ? null : new Date(record.issuedAtMs).toISOString(),
        issuedBy: record?.issuedBy ?? null,
        isSealable: sealing.has(node),
        clientPassword: record === null ? null : { wanted: record.clientPassword, inUse: used },
      };
    }),
  );
}
