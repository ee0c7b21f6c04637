import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { stored } from '../../test/fixtures/view.ts';
import { isSecretOf, newSecret, secretDigest } from '../pki/enrolment-token.ts';
import type { StoreCondition, StoreWrite } from '../ports/store.ts';
import { applyWrites } from '../records/image-changes.ts';
import { emptyImage, type StoreImage } from '../records/store-image.ts';
import { Enrolment } from './enrolment.ts';

let image: StoreImage;
let signedFor: string[];
let isLate: boolean;
let clock: HandClock;
const secret = newSecret();

beforeEach(() => {
  const spec = specOf(['db1', 'db2', 'mon1', 'web1'], {
    store: { kind: 'etcd', endpoints: ['https://10.0.1.1:2379', 'https://mon1.psf.io:2379'], caFile: null },
  });
  image = { ...emptyImage(), spec: stored({ revision: 1, spec, appliedAt: '', appliedBy: '' }) };
  [signedFor, isLate, clock] = [[], false, new HandClock()];
});

async function transact(conditions: readonly StoreCondition[], writes: readonly StoreWrite[]) {
  const isUnmet = conditions.some(({ key, revision }) => {
    const found = image.tokens.get(key.replace('tokens/', ''))?.revision ?? 'absent';
    return found !== revision;
  });
  if (isLate || isUnmet) return { committed: false as const, revision: image.revision, found: new Map() };
  image = applyWrites(image, writes, image.revision + 1);
  return { committed: true as const, revision: image.revision };
}

function enrolment(): Enrolment {
  return new Enrolment({
    isSecretOf: (shown, node, digest) => isSecretOf('psf', node, shown, digest),
    ...{ clock, signal: new AbortController().signal, emit: () => undefined },
    mirror: {
      get image() {
        return image;
      },
      transact,
    },
    ...{ ports: { api: 7432, enrolment: 7434 }, rootsPem: () => 'roots' },
    issuing: {
      sign: async (node, wishes) => {
        const purposes = wishes.map(({ purpose }) => purpose);
        signedFor.push(`${node} ${purposes.join(' ')}`);
        const writes = [{ key: `sealing/${node}`, value: JSON.stringify({ node, chainPem: 'chain' }) }];
        return { issued: purposes.map((purpose) => ({ purpose, chain: 'chain' })), writes };
      },
      certify: async ({ name }) => `chain of ${name}`,
    },
  });
}

const wishes = (['node', 'store-client', 'store-server', 'sealing'] as const).map((purpose) => ({
  purpose,
  request: 'request',
}));
const order = (node: string, change = {}) =>
  enrolment().orderToken(
    { node, role: null, forMs: 60_000, digest: secretDigest('psf', node, secret), ...change },
    'kim',
  );
const come = (node: string, shown = secret) => enrolment().enrol({ node, secret: shown, wishes });

describe('a token', () => {
  it('is ordered for a declared node as what it is declared, and only its digest is kept', async () => {
    expect(await order('web1')).toEqual({
      ...{ node: 'web1', role: 'app', expiresAt: '1970-01-01T00:01:01.000Z' },
      addresses: ['10.0.1.1:7434', '10.0.1.2:7434'],
    });
    expect(JSON.stringify([...image.tokens])).not.toContain(secret);
    expect((await order('db2')).addresses).toEqual(['10.0.1.1:7434']);
    await expect(order('web9')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(order('web1', { role: 'database' })).rejects.toMatchObject({ code: 'REFUSED' });
  });

  it('gives a node what it may have, once, and the store knows of it in the same moment', async () => {
    await order('mon1');
    const { grant, orderedBy } = await come('mon1');
    expect({ orderedBy, ...grant }).toMatchObject({ orderedBy: 'kim', address: '10.0.2.1', apiPort: 7432 });
    expect(image.sealing.has('mon1')).toBe(true);
    await expect(come('mon1')).rejects.toMatchObject({ code: 'TOKEN_REFUSED', message: /was used at/ });
    await order('db2');
    await come('db2');
    expect(signedFor).toEqual(['mon1 node store-client store-server sealing', 'db2 node store-client sealing']);
  });

  it('is refused when it is wrong, over, replaced or for another node, and nothing is signed', async () => {
    await order('web1');
    await expect(come('web1', newSecret())).rejects.toMatchObject({ code: 'TOKEN_REFUSED' });
    await expect(come('db2')).rejects.toMatchObject({ code: 'TOKEN_REFUSED' });
    await order('web1', { digest: secretDigest('psf', 'web1', newSecret()) });
    await expect(come('web1')).rejects.toMatchObject({ code: 'TOKEN_REFUSED' });
    await order('web1');
    clock.nowMs += 60_000;
    await expect(come('web1')).rejects.toMatchObject({ message: /expired/ });
    expect(signedFor).toEqual([]);
  });

  it('that somebody else used at the same moment gives nothing', async () => {
    await order('web1');
    isLate = true;
    await expect(come('web1')).rejects.toMatchObject({ code: 'TOKEN_REFUSED', message: /at the same time/ });
    expect(image.sealing.size).toBe(0);
  });

  it('is awaited, and forgotten a day after its end', async () => {
    expect(enrolment().isAwaited).toBe(false);
    await order('web1');
    expect(enrolment().isAwaited).toBe(true);
    clock.nowMs += 7 * 60_000;
    expect(enrolment().isAwaited).toBe(false);
    clock.nowMs += 24 * 60 * 60_000;
    await order('db2');
    expect([...image.tokens.keys()]).toEqual(['db2']);
  });
});
