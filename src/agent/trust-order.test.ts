import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { stored } from '../../test/fixtures/view.ts';
import type { CertificateRecord } from '../core/certificates.ts';
import type { StoreWrite } from '../ports/store.ts';
import { applyWrites } from '../records/image-changes.ts';
import { emptyImage, type StoreImage } from '../records/store-image.ts';
import { trustAnswers } from './trust-order.ts';

let image: StoreImage;
let told: [string, unknown][];

const root = (name: string) => `-----BEGIN CERTIFICATE-----${name}`;
/** The document of a statement here: which roots, and the one to issue from. */
const said = (number: number, from: string, ...roots: string[]) => ({
  number,
  document: [from, ...roots].join(' '),
  signature: 'by a root',
});
const certificate = (name: string, change: Partial<CertificateRecord> = {}) => ({
  ...exampleRecords.certificate,
  ...{ kind: 'node' as const, serial: name.toUpperCase(), name, where: name, root: 'A' },
  ...{ issuedAt: '2020-01-01T00:00:00.000Z', expiresAt: '2999-01-01T00:00:00.000Z' },
  ...change,
});

beforeEach(() => {
  told = [];
  const about = { revision: 1, spec: specOf(['db1', 'web1']), appliedAt: '', appliedBy: '' };
  image = { ...emptyImage(), spec: stored(about) };
});

function answers(reported: ReadonlyMap<string, number> = new Map()) {
  return trustAnswers({
    mirror: {
      get image() {
        return image;
      },
      transact: async (_, writes: readonly StoreWrite[]) => {
        image = applyWrites(image, writes, image.revision + 1);
        return { committed: true, revision: image.revision };
      },
    },
    clock: new HandClock(() => undefined),
    signal: new AbortController().signal,
    emit: (name, facts) => void told.push([name, facts]),
    files: {
      judge: ({ document, number, signature }) => {
        const [issueFrom = '', ...roots] = document.split(' ');
        if (signature !== 'by a root') return { ok: false, because: 'nobody has signed it' };
        return { ok: true, statement: { number, rootsPem: roots.map(root).join('\n'), issueFrom } };
      },
    },
    reader: { ofSealed: (text) => text },
    reported: () => reported,
  });
}

describe('stating which roots are trusted', () => {
  it('takes one statement after another, by a root alone', async () => {
    await expect(answers().say({ ...said(1, 'A', 'A', 'B'), signature: '' }, 'kim')).rejects.toMatchObject({
      code: 'CERTIFICATE_REFUSED',
    });
    await expect(answers().say(said(2, 'A', 'A', 'B'), 'kim')).rejects.toMatchObject({ code: 'CONFLICT' });
    await answers().say(said(1, 'A', 'A', 'B'), 'kim');
    expect(answers().state()).toMatchObject({ record: { number: 1 }, nodes: [{ node: 'db1', number: null }, {}] });
    expect(told).toEqual([['trust.stated', { by: 'kim', number: 1, roots: 2 }]]);
  });

  it('waits for nothing of a node that is declared no more, as far as the declaration is known', async () => {
    await answers().say(said(1, 'B', 'A', 'B'), 'kim');
    const whole = {
      ...image,
      certificates: new Map([
        ['1', stored(certificate('web1'))],
        ['2', stored(certificate('web2'))],
        ['3', stored(certificate('web2', { serial: '3', kind: 'recipient' }))],
      ]),
      credentials: new Map([['web2/shop', stored({ ...exampleRecords.credential, node: 'web2', sealed: 'A' })]]),
      secrets: new Map([['db9/issuing', stored('A')]]),
    };
    image = whole;
    expect(answers().state().resting).toEqual(['the certificate of node web1']);
    image = { ...whole, spec: null };
    expect(answers().state().resting).toHaveLength(5);
  });

  it('drops no root while a node has not followed, or anything rests on it', async () => {
    await answers().say(said(1, 'B', 'A', 'B'), 'kim');
    image = {
      ...image,
      trusting: new Map([['db1', stored({ node: 'db1', number: 1 })]]),
      certificates: new Map([
        ['1', stored(certificate('db1'))],
        ['2', stored(certificate('db1', { serial: '2', root: 'B', issuedAt: '2021-01-01T00:00:00.000Z' }))],
        ['3', stored(certificate('kim', { kind: 'operator', where: null }))],
        ['4', stored(certificate('past', { expiresAt: '1960-01-01T00:00:00.000Z' }))],
      ]),
      secrets: new Map([
        ['db1/issuing', stored('B')],
        ['db1/other', stored('A')],
      ]),
    };
    expect(answers().state().resting).toEqual(['the certificate of operator kim', 'the secret db1/other']);
    await expect(answers().say(said(2, 'B', 'B'), 'kim')).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringMatching(/web1 has not followed; the certificate of operator kim; the secret db1/),
    });
    image = { ...image, certificates: new Map(), secrets: new Map() };
    await answers(new Map([['web1', 1]])).say(said(2, 'B', 'B'), 'kim');
    expect(told.at(-1)).toEqual(['trust.stated', { by: 'kim', number: 2, roots: 1 }]);
  });
});
