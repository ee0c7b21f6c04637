/**
 * Takes the secret of the repository of backups from an operator, and seals it to every database node.
 *
 * Invariant: all of them get the same one, in one transaction, or none does. A passphrase that is there is replaced only when
 * that was asked for: what was encrypted with it opens with no other.
 */
import type { RepositorySecretRequest } from '../api/contract/backups.ts';
import { type NodeName, nodesOfRole } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Sealer } from '../ports/sealer.ts';
import { repositorySecretName, secretKey } from '../records/keys.ts';
import { repositorySecret } from '../records/repository-secret-schema.ts';
import type { StandingOrderParts } from './standing-order.ts';
import type { StoreMirror } from './store-mirror.ts';

export interface RepositoryOrderParts extends StandingOrderParts {
  readonly self: NodeName;
  readonly sealer: Sealer;
}

const writeWithinMs = 5_000;

/**
 * Without a passphrase in it, the one that is in use stays. Throws REFUSED when there is none, or another one and it was not to be
 * replaced; SEALING_FAILED, CONFLICT, STORE_UNREACHABLE.
 */
export async function orderRepositorySecret(
  parts: RepositoryOrderParts,
  { credentials, passphrase, replaces }: RepositorySecretRequest,
  by: string,
): Promise<{ readonly sealedTo: readonly NodeName[] }> {
  const { emit, mirror, sealer, signal } = parts;
  const spec = mirror.image.spec?.value.spec;
  if (spec === undefined || spec.backups === null) {
    throw new UnderstudyError('REFUSED', 'no backups are declared', { hint: 'declare `backups` in the cluster file' });
  }
  // One that can't be opened any more can be replaced, too.
  const now = replaces && passphrase !== null ? null : presentPassphrase(parts);
  if (passphrase === null && now === null) {
    throw new UnderstudyError('REFUSED', 'there is no passphrase yet', { hint: 'give one, or have one made' });
  }
  if (passphrase !== null && now !== null && passphrase !== now && !replaces) {
    throw new UnderstudyError('REFUSED', 'another passphrase is in use, and what it encrypted opens with no other', {
      hint: 'declare another prefix with the new one, or say that it is to be replaced',
    });
  }
  const secret = JSON.stringify({ passphrase: passphrase ?? now, credentials });
  const sealable = sealer.sealable();
  const nodes = nodesOfRole(spec, 'database').map(({ name }) => name);
  const targets = nodes.filter((node) => sealable.has(node));
  if (targets.length === 0)
    throw new UnderstudyError('SEALING_FAILED', 'no database node has a sealing certificate yet');
  const keys = nodes.map((node) => ({ node, key: secretKey(node, repositorySecretName) }));
  const result = await mirror.transact(
    keys.map(({ node, key }) => ({
      key,
      revision: mirror.image.secrets.get(`${node}/${repositorySecretName}`)?.revision ?? 'absent',
    })),
    keys.map(({ node, key }) =>
      targets.includes(node) ? { key, value: sealer.seal(node, key, secret) } : { key, remove: true },
    ),
    { withinMs: writeWithinMs, signal },
  );
  if (!result.committed) throw new UnderstudyError('CONFLICT', 'somebody else gave a secret at the same time');
  emit('backup.secret_given', { by, nodes: targets.join(', ') });
  return { sealedTo: targets };
}

/** Was one given, whether or not this node can open it? */
export function hasRepositorySecret({ mirror }: { readonly mirror: Pick<StoreMirror, 'image'> }): boolean {
  return [...mirror.image.secrets.keys()].some((place) => place.endsWith(`/${repositorySecretName}`));
}

function presentPassphrase({ mirror, self, sealer }: Pick<RepositoryOrderParts, 'mirror' | 'self' | 'sealer'>) {
  const sealed = mirror.image.secrets.get(`${self}/${repositorySecretName}`)?.value;
  if (sealed === undefined) return null;
  const found = sealer.open(secretKey(self, repositorySecretName), sealed);
  if ('because' in found) {
    throw new UnderstudyError(
      'SEALING_FAILED',
      `the secret that is there can't be opened on ${self}: ${found.because}`,
    );
  }
  try {
    return repositorySecret.parse(JSON.parse(found.secret)).passphrase;
  } catch {
    throw new UnderstudyError('SEALING_FAILED', `the secret that is there is of another version than ${self}`);
  }
}
