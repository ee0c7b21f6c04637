import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { stored } from '../../test/fixtures/view.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { OpenedAuthority } from '../ports/certificates.ts';
import type { StoreCondition, StoreWrite } from '../ports/store.ts';
import { emptyImage, type StoreImage } from '../records/store-image.ts';
import { authorityAnswers } from './authority-order.ts';

const authorities: Readonly<Record<string, OpenedAuthority>> = {
  old: { certificatePem: 'old', startsAt: '2025-11-21T00:00:00.000Z', endsAt: '2026-12-21T00:00:00.000Z' },
  new: { certificatePem: 'new', startsAt: '2026-11-21T00:00:00.000Z', endsAt: '2027-12-21T00:00:00.000Z' },
};

let image: StoreImage;
let asked: { readonly conditions: readonly StoreCondition[]; readonly writes: readonly StoreWrite[] }[];
let told: [string, unknown][];
let committed: boolean;

beforeEach(() => {
  [asked, told, committed] = [[], [], true];
  const about = { revision: 1, spec: specOf(['db1', 'db2', 'db3', 'web1']), appliedAt: '', appliedBy: '' };
  const secrets = new Map([
    ['db1/issuing', { value: 'old', revision: 4 }],
    ['db2/issuing', { value: 'old', revision: 5 }],
  ]);
  image = { ...emptyImage(), spec: stored(about), secrets };
});

function answers() {
  return authorityAnswers(
    {
      self: 'db1',
      mirror: {
        get image() {
          return image;
        },
        transact: async (conditions, writes) => {
          asked.push({ conditions, writes });
          return committed ? { committed, revision: 9 } : { committed, revision: 9, found: new Map() };
        },
      },
      clock: new HandClock(() => undefined),
      signal: new AbortController().signal,
      emit: (name, facts) => void told.push([name, facts]),
      signer: {
        sign: () => Promise.reject(new Error('not asked for')),
        certify: () => Promise.reject(new Error('not asked for')),
        list: () => Promise.reject(new Error('not asked for')),
        share: () => Promise.reject(new Error('not asked for')),
        inspect: async (sealed) => {
          const found = authorities[sealed];
          if (found === undefined) throw new UnderstudyError('CERTIFICATE_REFUSED', 'no trusted root has signed it');
          return found;
        },
      },
    },
    () => [],
  );
}

const to = (sealed: string, ...nodes: string[]) => ({ sealed: nodes.map((node) => ({ node, sealed })) });

describe('a new issuing authority', () => {
  it('takes the place of the former one at once, and leaves none to a node that it was not sealed to', async () => {
    const answer = await answers().renew(to('new', 'db1', 'db3', 'web1', 'stranger'), 'kim');
    expect(answer).toEqual({ endsAt: '2027-12-21T00:00:00.000Z', sealedTo: ['db1', 'db3'] });
    expect(asked[0]?.writes).toMatchObject([
      { key: 'secrets/db1/issuing', value: 'new' },
      { key: 'secrets/db2/issuing', remove: true },
      { key: 'secrets/db3/issuing', value: 'new' },
      { key: 'authority', value: expect.stringContaining('"by":"kim"') },
    ]);
    expect(asked[0]?.conditions).toEqual([
      { key: 'secrets/db1/issuing', revision: 4 },
      { key: 'secrets/db2/issuing', revision: 5 },
      { key: 'secrets/db3/issuing', revision: 'absent' },
      { key: 'authority', revision: 'absent' },
    ]);
    expect(told).toEqual([['authority.renewed', { by: 'kim', endsAt: '2027-12-21' }]]);
  });

  it('is refused when no root has signed it, when it is older, and when this node can not judge it', async () => {
    await expect(answers().renew(to('forged', 'db1'), 'kim')).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
    image = { ...image, secrets: new Map([['db1/issuing', { value: 'new', revision: 4 }]]) };
    await expect(answers().renew(to('old', 'db1'), 'kim')).rejects.toMatchObject({ code: 'REFUSED' });
    await expect(answers().renew(to('new', 'db2'), 'kim')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(asked).toEqual([]);
    // The same again is what an answer that was lost leads to.
    await expect(answers().renew(to('new', 'db1'), 'kim')).resolves.toMatchObject({ sealedTo: ['db1'] });
  });

  it('is told when somebody else was quicker', async () => {
    committed = false;
    await expect(answers().renew(to('new', 'db1'), 'kim')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(told).toEqual([]);
  });
});
