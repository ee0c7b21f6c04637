import { beforeEach, expect, it } from 'vitest';
import { MemoryMirror } from '../../test/fixtures/memory-mirror.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { stubRepository } from '../../test/fixtures/stub-repository.ts';
import { timerClock } from '../../test/fixtures/timer-clock.ts';
import { stored } from '../../test/fixtures/view.ts';
import { defaultBackups } from '../core/backups-spec.ts';
import type { Spec } from '../core/spec.ts';
import type { RepositoryConfiguration } from '../ports/repository.ts';
import type { Sealer } from '../ports/sealer.ts';
import { RepositoryAccess } from './repository-access.ts';
import { hasRepositorySecret, orderRepositorySecret } from './repository-order.ts';

const credentials = { kind: 's3', key: 'k', keySecret: 's' } as const;
const place = { kind: 'directory', path: '/backups' } as const;

let mirror: MemoryMirror;
let sealable: Set<string>;
let spec: Spec;
const signal = new AbortController().signal;

/** What is sealed opens for its node and its place, and can be read by a test. */
function sealerOf(self: string): Sealer {
  return {
    sealable: () => sealable,
    seal: (node, context, secret) => JSON.stringify([node, context, secret]),
    open(context, sealed) {
      const [node, where, secret] = JSON.parse(sealed);
      return node === self && where === context ? { secret } : { because: 'it is for somebody else' };
    },
  };
}

const parts = (self = 'db1') => ({
  self,
  mirror,
  signal,
  clock: timerClock,
  sealer: sealerOf(self),
  emit: () => undefined,
});
const give = (passphrase: string | null, replaces = false) =>
  orderRepositorySecret(parts(), { credentials, passphrase, replaces }, 'kim');
const sealedTo = (node: string): unknown =>
  JSON.parse(JSON.parse(mirror.image.secrets.get(`${node}/repository`)?.value ?? '[]')[2] ?? 'null');

beforeEach(() => {
  spec = specOf(['db1', 'db2', 'web1'], { backups: { ...defaultBackups, to: place } });
  mirror = new MemoryMirror({ spec: stored({ revision: 1, spec, appliedAt: '', appliedBy: '' }) });
  sealable = new Set(['db1', 'db2', 'web1']);
});

it('is sealed to every database node, and to no other', async () => {
  expect(await give('a passphrase')).toEqual({ sealedTo: ['db1', 'db2'] });
  expect([...mirror.image.secrets.keys()]).toEqual(['db1/repository', 'db2/repository']);
  expect(sealedTo('db2')).toEqual({ passphrase: 'a passphrase', credentials });
});

it('keeps the passphrase while other credentials are given', async () => {
  await expect(give(null)).rejects.toMatchObject({ code: 'REFUSED' });
  await give('a passphrase');
  await give(null);
  expect(sealedTo('db1')).toMatchObject({ passphrase: 'a passphrase' });
});

it('is replaced by another passphrase only when that is said', async () => {
  await give('a passphrase');
  await expect(give('another one')).rejects.toMatchObject({ code: 'REFUSED' });
  await give('a passphrase');
  await give('another one', true);
  expect(sealedTo('db2')).toMatchObject({ passphrase: 'another one' });
});

it('can be replaced when it opens no more', async () => {
  mirror.put([{ key: 'secrets/db1/repository', value: JSON.stringify(['db9', 'elsewhere', '{}']) }]);
  expect(hasRepositorySecret({ mirror })).toBe(true);
  await expect(give('a passphrase')).rejects.toMatchObject({ code: 'SEALING_FAILED' });
  await give('a passphrase', true);
  expect(sealedTo('db1')).toMatchObject({ passphrase: 'a passphrase' });
});

it('is refused where no backups are declared', async () => {
  mirror = new MemoryMirror({
    spec: stored({ revision: 1, spec: { ...spec, backups: null }, appliedAt: '', appliedBy: '' }),
  });
  await expect(give('a passphrase')).rejects.toMatchObject({ code: 'REFUSED' });
});

it('reaches the program of each node, also of one that comes later, and leaves with its declaration', async () => {
  sealable = new Set(['db1']);
  await give('a passphrase');
  expect([...mirror.image.secrets.keys()]).toEqual(['db1/repository']);
  const told = new Map<string, RepositoryConfiguration | null>();
  const accessOf = (self: string) => {
    const repository = stubRepository({
      async configure(configuration) {
        told.set(self, configuration);
        return true;
      },
      forget: async () => void told.set(self, null),
    });
    return new RepositoryAccess({ ...parts(self), spec: () => spec, repository: () => repository });
  };
  const [db1, db2] = [accessOf('db1'), accessOf('db2')];
  await db2.turn();
  expect([db2.repository, db2.trouble]).toEqual([null, expect.stringContaining('has not been given')]);
  sealable.add('db2');
  await db1.turn();
  await db2.turn();
  expect(told.get('db2')).toMatchObject({ secret: { passphrase: 'a passphrase' } });
  expect([db2.repository === null, db2.trouble]).toEqual([false, null]);
  spec = { ...spec, backups: null };
  await db2.turn();
  expect([told.get('db2'), db2.repository, db2.trouble]).toEqual([null, null, null]);
});
