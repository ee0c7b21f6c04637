import { describe, expect, it } from 'vitest';
import { held, released } from '../../test/fixtures/view.ts';
import type { PromiseRecord } from '../core/promise.ts';
import type { StoreImage } from '../records/store-image.ts';
import { lastWords, promiseHolder } from './holder-requests.ts';

const lease = held('db1');
const request = { term: lease.value.term, round: 2, forMs: 7_000 };

type Leased = Pick<StoreImage, 'lease'>;

function asked(image: Leased, record: PromiseRecord = { kind: 'none' }) {
  const bound: (PromiseRecord | null)[] = [];
  const agent: Parameters<typeof promiseHolder>[0] = {
    mirror: { image },
    bind: async (change) => {
      const next = change(record, { nowMs: 0, bootId: 'boot' });
      bound.push(next);
      return next ?? record;
    },
  };
  return { agent, bound };
}

describe('a promise', () => {
  it('is given to the holder of that term, and bound before it is answered', async () => {
    const { agent, bound } = asked({ lease });
    expect(await promiseHolder(agent, request, 'db1')).toEqual({ given: true, round: 2 });
    expect(bound).toEqual([expect.objectContaining({ kind: 'promised', term: request.term, round: 2 })]);
  });

  it.each([
    ['nobody holds the lease', { lease: null }, request, 'db1'],
    ['it was released', { lease: released('db1', null) }, request, 'db1'],
    ['another node holds it', { lease }, request, 'db2'],
    ['it is of another term', { lease }, { ...request, term: request.term + 1 }, 'db1'],
  ] as const)('is given to nobody when %s, and binds to nothing', async (_, image, wanted, by) => {
    const { agent, bound } = asked(image);
    expect(await promiseHolder(agent, wanted, by)).toEqual({ given: false, round: 0 });
    expect(bound).toEqual([]);
  });

  it('is not given by who has cut himself off for that term', async () => {
    const { agent } = asked({ lease }, { kind: 'cut', term: request.term + 1 });
    expect(await promiseHolder(agent, request, 'db1')).toMatchObject({ given: false });
  });
});

describe('the WAL that a node left', () => {
  const piece = { data: 'AAAA', isEnd: true };
  const wal = { file: '000000010000000000000001', offset: 0 };
  const of = (image: Leased) =>
    lastWords({ node: 'db1', mirror: { image }, postgres: { readWal: async () => piece } }, wal);

  it('is handed out once it has released the lease itself', async () => {
    expect(await of({ lease: released('db1', null) })).toEqual({ piece });
  });

  it('is not while it holds the lease, nor by who did not hold it', async () => {
    expect(await of({ lease })).toEqual({ piece: null });
    expect(await of({ lease: released('db2', null) })).toEqual({ piece: null });
  });
});
