import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import { nodeSpec, specOf } from '../../test/fixtures/spec.ts';
import { stored } from '../../test/fixtures/view.ts';
import type { CertificatePurpose } from '../core/certificates.ts';
import { defaultApplicationFiles } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { DecidedCertificate } from '../ports/certificates.ts';
import type { StoreCondition, StoreWrite } from '../ports/store.ts';
import { emptyImage, type StoreImage } from '../records/store-image.ts';
import { Issuing } from './issuing.ts';

const record = {
  kind: 'node' as const,
  ...{ serial: 'AB', name: 'x', hostNames: [], addresses: [], issuer: 'psf', keyType: 'P-256' },
  ...{ issuedAt: '2026-11-20T00:00:00.000Z', expiresAt: '2026-11-27T00:00:00.000Z' },
};

let decided: DecidedCertificate[];
let sharedTo: string[];
let asked: { readonly conditions: readonly StoreCondition[]; readonly writes: readonly StoreWrite[] }[];
let image: StoreImage;
let ended: AbortController;
let remembered: string | null;
let ownRecords: (typeof record)[];
let failure: UnderstudyError | null;
let revoked: Set<string>;

beforeEach(() => {
  [remembered, ownRecords, failure, revoked] = [null, [], null, new Set()];
  [decided, sharedTo, asked, ended] = [[], [], [], new AbortController()];
  const spec = specOf(['db1', 'db2', 'mon1', 'web1'], {
    store: { kind: 'etcd', endpoints: ['https://10.0.1.1:2379', 'https://mon1.psf.io:2379'], caFile: null },
  });
  const about = { revision: 1, spec, appliedAt: '', appliedBy: '' };
  image = { ...emptyImage(), spec: stored(about), secrets: new Map([['db1/issuing', stored('sealed')]]) };
});

function issuing(): Issuing {
  return new Issuing({
    self: 'db1',
    mirror: {
      get image() {
        return image;
      },
      transact: async (conditions, writes) => {
        if (failure !== null) throw failure;
        asked.push({ conditions, writes });
        return { committed: true, revision: 9 };
      },
    },
    clock: new HandClock(() => ended.abort()),
    signal: ended.signal,
    spec: () => image.spec?.value.spec ?? null,
    remembered: { read: () => remembered, write: keep },
    own: { records: () => ownRecords },
    revoked: { has: (serial) => revoked.has(serial) },
    sealingChain: () => 'own chain',
    log: { info: () => {}, warn: () => {}, error: () => {} },
    signer: {
      sign: async (_, wanted) => {
        decided.push(...wanted);
        return wanted.map(({ purpose }) => ({ purpose, chain: `chain ${purpose}`, record }));
      },
      inspect: () => Promise.reject(new Error('nobody asks for it here')),
      certify: async (_, { name, role }) => ({
        chain: `chain of ${role} ${name}`,
        record: { ...record, kind: role, name },
      }),
      list: async () => ({ authority: 'certificate', list: 'list' }),
      share: async (_, to) => {
        sharedTo.push(...to.map(({ node }) => node));
        return to.map(({ node }) => ({ node, sealed: `for ${node}` }));
      },
    },
  });
}

function valueIn(write: StoreWrite | undefined): string {
  return write !== undefined && 'value' in write ? write.value : '';
}

function keep(sealed: string): void {
  remembered = sealed;
}

const wish = (...purposes: CertificatePurpose[]) => purposes.map((purpose) => ({ purpose, request: 'request' }));

describe('issuing', () => {
  it("says the asker's name and address as the spec has them, and remembers what it issued", async () => {
    expect(await issuing().issue('db1', wish('node', 'store-server'))).toEqual([
      { purpose: 'node', chain: 'chain node' },
      { purpose: 'store-server', chain: 'chain store-server' },
    ]);
    expect(decided).toMatchObject([
      { purpose: 'node', node: 'db1', role: 'database', addresses: ['10.0.1.1'], lifeMs: 7 * 86_400_000 },
      { purpose: 'store-server', addresses: ['10.0.1.1', '127.0.0.1'] },
    ]);
    expect(asked[0]?.writes[0]).toMatchObject({
      key: 'certificates/AB',
      value: expect.stringContaining('"AB"'),
    });
    expect(JSON.parse(valueIn(asked[0]?.writes[0]))).toEqual({
      ...record,
      where: 'db1',
      requestedBy: 'db1',
      issuedBy: 'db1',
    });
  });

  it('renews no revoked certificate, and nothing of a node whose own was revoked', async () => {
    const listed = (serial: string, kind: 'node' | 'store' | 'recipient', issuedAt: string) =>
      [
        serial,
        stored({ ...record, serial, kind, issuedAt, where: 'db2', requestedBy: 'db2', issuedBy: 'db1' }),
      ] as const;
    image = {
      ...image,
      certificates: new Map([
        listed('N1', 'node', '2026-11-19T00:00:00.000Z'),
        listed('N2', 'node', '2026-11-20T00:00:00.000Z'),
        listed('S1', 'store', '2026-11-20T00:00:00.000Z'),
      ]),
    };
    revoked.add('N1');
    await issuing().issue('db2', wish('node'));
    revoked.add('S1');
    await expect(issuing().issue('db2', wish('store-server'))).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('the one before it, S1, has been revoked'),
    });
    await issuing().issue('db2', wish('node', 'store-client'));
    revoked.add('N2');
    await expect(issuing().issue('db2', wish('store-client'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(decided.map(({ purpose }) => purpose)).toEqual(['node', 'node', 'store-client']);
  });

  it('gives itself nothing either, when the store is away', async () => {
    [remembered, ownRecords] = ['sealed', [record]];
    revoked.add(record.serial);
    await expect(issuing().issue('db1', wish('node'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('publishes a sealing certificate with it', async () => {
    await issuing().issue('web1', wish('sealing'));
    expect(asked[0]?.writes).toContainEqual({
      key: 'sealing/web1',
      value: JSON.stringify({ node: 'web1', chainPem: 'chain sealing' }),
    });
  });

  it('gives own certificates to nodes of their roles alone, and none that stands for a host of the cluster', async () => {
    const own = (name: string) => ({
      ...{ name, lifeMs: 3_600_000, roles: ['web'], reload: null, files: defaultApplicationFiles },
    });
    const spec = specOf(['db1'], {
      nodes: [nodeSpec('db1'), nodeSpec('web1', { roles: ['web'] }), nodeSpec('web2')],
      certificates: [own('web.example.org'), own('postgresql.psf.io')],
    });
    image = { ...image, spec: stored({ revision: 1, spec, appliedAt: '', appliedBy: '' }) };
    const ask = (node: string, name?: string) => issuing().issue(node, [{ purpose: 'own', request: 'request', name }]);
    await ask('web1', 'web.example.org');
    expect(decided).toMatchObject([{ purpose: 'own', ownName: 'web.example.org', addresses: [], lifeMs: 3_600_000 }]);
    const forbidden = { code: 'FORBIDDEN' };
    await expect(ask('web2', 'web.example.org')).rejects.toMatchObject(forbidden);
    await expect(ask('web1', 'other.example.org')).rejects.toMatchObject(forbidden);
    await expect(ask('web1', 'postgresql.psf.io')).rejects.toMatchObject(forbidden);
    await expect(ask('web1')).rejects.toMatchObject(forbidden);
  });

  it('is refused to strangers, and for what is not the asker’s', async () => {
    const refused = async (node: string, purpose: CertificatePurpose) =>
      await expect(issuing().issue(node, wish(purpose))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await refused('db9', 'node');
    await refused('web1', 'store-client');
    await refused('web1', 'store-server');
    await refused('db2', 'store-server');
    await issuing().issue('mon1', wish('store-server', 'store-client'));
    expect(decided).toHaveLength(2);
    image = { ...image, secrets: new Map() };
    await expect(issuing().issue('db1', wish('node'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('forgets what is long over, a little at a time', async () => {
    const old = (serial: string) => ({ ...record, serial, where: 'db1', requestedBy: 'db1', issuedBy: null });
    const certificates = Array.from({ length: 70 }, (_, index) => `${index}`).map(
      (serial) => [serial, stored({ ...old(serial), expiresAt: '1969-01-01T00:00:00.000Z' })] as const,
    );
    image = { ...image, certificates: new Map(certificates) };
    await issuing().issue('db1', wish('node'));
    expect(asked[0]?.writes.filter((write) => 'remove' in write)).toHaveLength(50);
  });
});

describe('while the store is away', () => {
  it('a database node issues to itself with the key that it remembers, and to nobody else', async () => {
    failure = new UnderstudyError('STORE_CERTIFICATE', 'expired');
    remembered = 'sealed';
    image = { ...image, secrets: new Map() };
    await expect(issuing().issue('db1', wish('node', 'store-client'))).resolves.toHaveLength(2);
    await expect(issuing().issue('mon1', wish('node'))).rejects.toMatchObject({ code: 'STORE_CERTIFICATE' });
    failure = new UnderstudyError('STORE_DENIED', 'a defect');
    await expect(issuing().issue('db1', wish('node'))).rejects.toMatchObject({ code: 'STORE_DENIED' });
  });

  it('what it gave itself is listed once the store is back', async () => {
    ownRecords = [record];
    await issuing().shareForEver();
    expect(remembered).toBe('sealed');
    expect(asked.map(({ writes }) => writes.map(({ key }) => key))).toEqual([['certificates/AB']]);
  });
});

describe('the issuing key', () => {
  const certificate = (node: string) => [node, stored({ node, chainPem: `chain of ${node}` })] as const;

  it('is brought into an empty store by the node that has it on its disk, and into no other', async () => {
    remembered = 'sealed';
    image = { ...image, secrets: new Map() };
    await issuing().shareForEver();
    expect(asked).toEqual([
      {
        conditions: [{ key: 'secrets/db1/issuing', revision: 'absent' }],
        writes: [
          { key: 'secrets/db1/issuing', value: 'sealed' },
          { key: 'sealing/db1', value: JSON.stringify({ node: 'db1', chainPem: 'own chain' }) },
        ],
      },
    ]);
    ended = new AbortController();
    image = { ...image, secrets: new Map([['db2/issuing', stored('of db2')]]) };
    await issuing().shareForEver();
    expect(asked).toHaveLength(1);
  });

  it('is handed to every database node that lacks it, and to nobody else', async () => {
    image = { ...image, sealing: new Map(['db1', 'db2', 'mon1', 'web1'].map(certificate)) };
    await issuing().shareForEver();
    expect(sharedTo).toEqual(['db2']);
    expect(asked).toEqual([
      {
        conditions: [
          { key: 'secrets/db2/issuing', revision: 'absent' },
          // Another authority may have come meanwhile.
          { key: 'secrets/db1/issuing', revision: image.secrets.get('db1/issuing')?.revision },
        ],
        writes: [{ key: 'secrets/db2/issuing', value: 'for db2' }],
      },
    ]);
  });

  it('is taken from who is no database node any more, and other secrets are let be', async () => {
    const secrets = [...image.secrets, ['db7/issuing', stored('old', 3)], ['web1/shop', stored('x')]] as const;
    image = { ...image, secrets: new Map(secrets) };
    await issuing().shareForEver();
    expect(asked).toEqual([
      {
        conditions: [{ key: 'secrets/db7/issuing', revision: 3 }],
        writes: [{ key: 'secrets/db7/issuing', remove: true }],
      },
    ]);
  });

  it('that this node does not have is handed to nobody', async () => {
    image = { ...image, secrets: new Map(), sealing: new Map([certificate('db2')]) };
    await issuing().shareForEver();
    expect([sharedTo, asked]).toEqual([[], []]);
  });
});
