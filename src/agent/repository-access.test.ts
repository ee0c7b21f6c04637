import { beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { MemoryMirror } from '../../test/fixtures/memory-mirror.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { stubRepository } from '../../test/fixtures/stub-repository.ts';
import { defaultBackups } from '../core/backups-spec.ts';
import type { Spec } from '../core/spec.ts';
import type { RepositoryConfiguration } from '../ports/repository.ts';
import type { Sealer } from '../ports/sealer.ts';
import { repositorySecretName, secretKey } from '../records/keys.ts';
import { RepositoryAccess } from './repository-access.ts';

const to = { kind: 'directory' as const, path: '/backups' };
const withBackups = specOf(['db1', 'db2'], { backups: { ...defaultBackups, to } });
const secret = (passphrase: string) => JSON.stringify({ passphrase, credentials: { kind: 'none' } });
/** Says for whom, where, and what. */
const sealer: Sealer = {
  sealable: () => new Set(['db1', 'db2']),
  seal: (node, context, text) => JSON.stringify([node, context, text]),
  open(context, sealed) {
    const [node, place, text] = z.tuple([z.string(), z.string(), z.string()]).parse(JSON.parse(sealed));
    return node === 'db1' && place === context ? { secret: text } : { because: 'it is sealed to somebody else' };
  },
};

let mirror: MemoryMirror;
let spec: Spec;
let nowMs: number;
let written: RepositoryConfiguration[];
let forgotten: number;
let access: RepositoryAccess;

const ownKey = secretKey('db1', repositorySecretName);
const give = (passphrase: string) =>
  mirror.put([{ key: ownKey, value: sealer.seal('db1', ownKey, secret(passphrase)) }]);

beforeEach(() => {
  [mirror, spec, nowMs, written, forgotten] = [new MemoryMirror(), withBackups, 1_000, [], 0];
  const repository = stubRepository({
    async configure(configuration) {
      written.push(configuration);
      return true;
    },
    async forget() {
      forgotten += 1;
    },
  });
  access = new RepositoryAccess({
    ...{ self: 'db1', mirror, sealer, spec: () => spec, repository: () => repository },
    clock: { boottimeMs: () => nowMs, wallClock: () => new Date(), sleep: () => Promise.resolve() },
    signal: new AbortController().signal,
  });
});

it('can not be used before its secret is there, and says so', async () => {
  await access.turn();
  expect(access.repository).toBeNull();
  expect(access.trouble).toContain('has not been given yet');
  expect(written).toEqual([]);
});

it('is written once, and anew with a new secret, another declaration, or after a while', async () => {
  give('one');
  for (let turn = 0; turn < 3; turn += 1) await access.turn();
  expect(access.repository).not.toBeNull();
  expect(written.map(({ secret: { passphrase } }) => passphrase)).toEqual(['one']);
  give('two');
  await access.turn();
  expect(written.map(({ secret: { passphrase } }) => passphrase)).toEqual(['one', 'two']);
  spec = specOf(['db1', 'db2'], { backups: { ...defaultBackups, to: { ...to, path: '/elsewhere' } } });
  await access.turn();
  expect(written).toHaveLength(3);
  nowMs += 60_000;
  await access.turn();
  await access.turn();
  expect(written).toHaveLength(4);
});

it('goes away with its declaration, and comes back with it', async () => {
  give('one');
  await access.turn();
  spec = specOf(['db1', 'db2']);
  await access.turn();
  await access.turn();
  expect([forgotten, access.repository, access.trouble]).toEqual([1, null, null]);
  spec = withBackups;
  await access.turn();
  expect(written).toHaveLength(2);
});

it('is handed on to nodes that lack it, and taken from those that left', async () => {
  give('one');
  mirror.put([{ key: secretKey('db9', repositorySecretName), value: 'old' }]);
  await access.turn();
  const key = secretKey('db2', repositorySecretName);
  expect(mirror.image.secrets.get(`db2/${repositorySecretName}`)?.value).toBe(sealer.seal('db2', key, secret('one')));
  expect(mirror.image.secrets.has(`db9/${repositorySecretName}`)).toBe(false);
});

it('is of no use while what lies there is sealed to somebody else', async () => {
  give('one');
  await access.turn();
  mirror.put([{ key: ownKey, value: sealer.seal('db2', ownKey, secret('two')) }]);
  await access.turn();
  expect(access.trouble).toContain('sealed to somebody else');
  expect(access.repository).toBeNull();
  give('one');
  await access.turn();
  expect(access.repository).not.toBeNull();
});
