/**
 * Takes over an issuing authority that whoever holds the root's key has signed (`understudy ca renew`): its key lies in the store
 * from then on, sealed to each database node, in the place of the former one.
 *
 * Invariant: it is opened and judged before it takes any place: a trusted root has signed it, its key is with it, and it is newer
 * than the one in use. A database node that it was not sealed to loses the former one, so that another hands on the new one.
 */
import type { AuthorityAnswers, AuthorityRenewalRequest } from '../api/contract/certificates.ts';
import type { AuthorityPartStatus, AuthorityState } from '../core/authority.ts';
import { type NodeName, nodesOfRole } from '../core/spec.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { OpenedAuthority, Signer } from '../ports/certificates.ts';
import type { StoreCondition, StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { issuingSecretName, keys, secretKey } from '../records/keys.ts';
import type { StandingOrderParts } from './standing-order.ts';

export interface AuthorityOrderParts extends StandingOrderParts {
  readonly self: NodeName;
  readonly signer: Signer;
}

/** `standing`: the parts, as far as this node can vouch for them. */
export function authorityAnswers(
  parts: AuthorityOrderParts,
  standing: () => readonly AuthorityPartStatus[],
): AuthorityAnswers {
  return {
    state: () => authorityState(parts, standing()),
    renew: (request, by) => renewAuthority(parts, request, by),
  };
}

const writeWithinMs = 5_000;

function authorityState(
  { mirror }: Pick<StandingOrderParts, 'mirror'>,
  parts: readonly AuthorityPartStatus[],
): AuthorityState {
  const databases = databasesOf(mirror);
  const sealing = [...mirror.image.sealing.values()].map(({ value }) => value);
  return { parts, sealing: sealing.filter(({ node }) => databases.includes(node)) };
}

/** Answers until when it is good. Throws CERTIFICATE_REFUSED, REFUSED, NOT_FOUND, CONFLICT, STORE_UNREACHABLE. */
export async function renewAuthority(
  parts: AuthorityOrderParts,
  { sealed }: AuthorityRenewalRequest,
  by: string,
): Promise<{ readonly endsAt: string; readonly sealedTo: readonly NodeName[] }> {
  const { clock, emit, mirror, self, signal, signer } = parts;
  const databases = databasesOf(mirror);
  const ours = sealed.filter(({ node }) => databases.includes(node));
  const own = ours.find(({ node }) => node === self);
  if (own === undefined) {
    throw new UnderstudyError('NOT_FOUND', `nothing was sealed to ${self}, which could not judge it so`, {
      hint: 'its sealing certificate has to be good: understudy doctor',
    });
  }
  const opened = await signer.inspect(own.sealed);
  const former = mirror.image.secrets.get(`${self}/${issuingSecretName}`)?.value;
  if (former !== undefined) refuseOlder(await inspected(signer, former), opened);
  const at = clock.wallClock().toISOString();
  const record = encodeRecord('authority', { certificatePem: opened.certificatePem, at, by });
  const changes = databases.flatMap((node) => changeOf(parts, node, ours.find((one) => one.node === node)?.sealed));
  const result = await mirror.transact(
    [...changes.map(({ condition }) => condition), authorityCondition(parts)],
    [...changes.map(({ write }) => write), { key: keys.authority, value: record }],
    { withinMs: writeWithinMs, signal },
  );
  if (!result.committed) {
    throw new UnderstudyError('CONFLICT', 'the issuing key was handed on at the same time', { hint: 'try it again' });
  }
  emit('authority.renewed', { by, endsAt: opened.endsAt.slice(0, 10) });
  return { endsAt: opened.endsAt, sealedTo: ours.map(({ node }) => node) };
}

/** One that can't be opened any more is older than any. Throws PROCESS_FAILED, TIMEOUT. */
async function inspected(signer: Pick<Signer, 'inspect'>, sealed: string): Promise<OpenedAuthority | null> {
  try {
    return await signer.inspect(sealed);
  } catch (error) {
    if (isUnderstudyError(error, 'CERTIFICATE_REFUSED')) return null;
    throw error;
  }
}

/** Else who saw an earlier order could put that one back. */
function refuseOlder(former: OpenedAuthority | null, next: OpenedAuthority): void {
  if (former === null || former.startsAt < next.startsAt) return;
  if (former.certificatePem === next.certificatePem) return;
  throw new UnderstudyError(
    'REFUSED',
    `the issuing authority in use is newer: its validity begins at ${former.startsAt}`,
  );
}

function changeOf(
  { mirror }: AuthorityOrderParts,
  node: NodeName,
  sealed: string | undefined,
): readonly { readonly condition: StoreCondition; readonly write: StoreWrite }[] {
  const key = secretKey(node, issuingSecretName);
  const there = mirror.image.secrets.get(`${node}/${issuingSecretName}`);
  const condition: StoreCondition = { key, revision: there?.revision ?? 'absent' };
  if (sealed !== undefined) return [{ condition, write: { key, value: sealed } }];
  return there === undefined ? [] : [{ condition, write: { key, remove: true } }];
}

function authorityCondition({ mirror }: AuthorityOrderParts): StoreCondition {
  return { key: keys.authority, revision: mirror.image.authority?.revision ?? 'absent' };
}

function databasesOf(mirror: StandingOrderParts['mirror']): readonly NodeName[] {
  const spec = mirror.image.spec?.value.spec;
  return spec === undefined ? [] : nodesOfRole(spec, 'database').map(({ name }) => name);
}
