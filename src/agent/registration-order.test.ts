import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import { exampleRecords } from '../../test/fixtures/records.ts';
import { stored } from '../../test/fixtures/view.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { StoreCondition, StoreWrite } from '../ports/store.ts';
import { applyWrites } from '../records/image-changes.ts';
import { emptyImage, type StoreImage } from '../records/store-image.ts';
import { registeredAnswers } from './registration-order.ts';

let image: StoreImage;
let conditions: (readonly StoreCondition[])[];
let told: [string, unknown][];
const { name: _, where: __, registeredAt: ___, by: ____, ...facts } = exampleRecords.registered;

beforeEach(() => {
  [image, conditions, told] = [emptyImage(), [], []];
});

const answers = (hostNames: readonly string[] = ['shop.example.org']) =>
  registeredAnswers({
    mirror: {
      get image() {
        return image;
      },
      transact: async (asked, writes: readonly StoreWrite[]) => {
        conditions.push(asked);
        image = applyWrites(image, writes, image.revision + 1);
        return { committed: true, revision: image.revision };
      },
    },
    clock: new HandClock(() => undefined),
    signal: new AbortController().signal,
    emit: (name, about) => void told.push([name, about]),
    read: (certificatePem) => {
      if (certificatePem === 'none') throw new UnderstudyError('CERTIFICATE_REFUSED', 'this is no certificate in PEM');
      return { ...facts, hostNames, certificatePem };
    },
  });

const request = { certificatePem: 'pem', name: null, where: 'the balancer' };

describe('registering a certificate', () => {
  it('names it by its host, keeps what it says itself, and forgets it by that name', async () => {
    expect(await answers().register(request, 'kim')).toMatchObject({ name: 'shop.example.org', where: 'the balancer' });
    expect(answers().all()).toMatchObject([{ name: 'shop.example.org', by: 'kim', expiresAt: facts.expiresAt }]);
    expect(await answers().forget('shop.example.org', 'lee')).toMatchObject({ accepted: true });
    expect(answers().all()).toEqual([]);
    expect(told).toMatchObject([
      ['certificate.registered', { by: 'kim', certificate: 'shop.example.org' }],
      ['certificate.forgotten', { by: 'lee', certificate: 'shop.example.org' }],
    ]);
  });

  it('replaces the former one of that name, as it was seen', async () => {
    await answers().register({ ...request, name: 'shop' }, 'kim');
    await answers().register({ ...request, name: 'shop', where: null }, 'kim');
    expect(answers().all()).toMatchObject([{ name: 'shop', where: null }]);
    expect(conditions.map(([first]) => first?.revision)).toEqual(['absent', 1]);
  });

  it('refuses what is none, what has no name, and to forget what nobody registered', async () => {
    const none = answers().register({ ...request, certificatePem: 'none' }, 'kim');
    await expect(none).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    const own = { ...exampleRecords.certificate, serial: facts.serial };
    image = { ...image, certificates: new Map([[facts.serial, stored(own)]]) };
    await expect(answers().register(request, 'kim')).rejects.toMatchObject({ code: 'REFUSED' });
    image = emptyImage();
    await expect(answers([]).register(request, 'kim')).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(answers().forget('shop', 'kim')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(answers().all()).toEqual([]);
  });
});
