import { beforeAll, describe, expect, it } from 'vitest';
import { createIssuing, createRoot, type Root } from './authority.ts';
import { issue } from './issue.ts';
import { areAmong, fingerprintOf, joinRoots, judgeTrust, rootOf, stateTrust } from './trust-statement.ts';

const cluster = 'psf';
const validity = { lifeMs: 365 * 86_400_000, nowMs: Date.now() };
let [former, next, stranger]: Root[] = [];

beforeAll(async () => {
  [former, next, stranger] = await Promise.all([1, 2, 3].map(() => createRoot({ cluster, ...validity })));
});

const pemOf = (root: Root | undefined) => root?.certificatePem ?? '';
const required = (root: Root | undefined): Root => {
  if (root === undefined) throw new Error('no root');
  return root;
};
const both = () => joinRoots(pemOf(former), pemOf(next), pemOf(former));
const statement = () => ({ number: 2, rootsPem: both(), issueFrom: fingerprintOf(pemOf(next)) });

describe('a statement of trust', () => {
  it('is believed when a root that is trusted so far has signed it', () => {
    const record = stateTrust(required(former), cluster, statement());
    expect(judgeTrust(record, { cluster, rootsPem: pemOf(former) })).toEqual({ ok: true, statement: statement() });
    expect(judgeTrust(record, { cluster, rootsPem: pemOf(next) })).toMatchObject({ ok: false });
  });

  it('is refused when anything of it was changed, or it is of another cluster', () => {
    const record = stateTrust(required(former), cluster, statement());
    const trust = { cluster, rootsPem: pemOf(former) };
    const refused = (change: object) => judgeTrust({ ...record, ...change }, trust);
    expect(refused({ number: 3 })).toMatchObject({ ok: false, because: 'its number is another one' });
    expect(refused({ document: record.document.replace('"number":2', '"number":3') })).toMatchObject({ ok: false });
    expect(refused({ signature: '' })).toMatchObject({ ok: false });
    const other = stateTrust(required(former), 'other', statement());
    expect(judgeTrust(other, trust)).toEqual({ ok: false, because: 'it is of cluster other' });
    const forged = stateTrust(required(stranger), cluster, { ...statement(), rootsPem: pemOf(stranger) });
    expect(judgeTrust(forged, trust)).toEqual({ ok: false, because: 'no root that is trusted here has signed it' });
  });

  it('names roots alone, and issues from one of them', async () => {
    const trust = { cluster, rootsPem: pemOf(former) };
    const issuing = await createIssuing(required(next), { cluster, ...validity });
    const ofIssuing = { ...statement(), rootsPem: issuing.certificatePem };
    expect(judgeTrust(stateTrust(required(former), cluster, ofIssuing), trust)).toMatchObject({ ok: false });
    const fromNone = { ...statement(), issueFrom: fingerprintOf(pemOf(stranger)) };
    expect(judgeTrust(stateTrust(required(former), cluster, fromNone), trust)).toMatchObject({ ok: false });
  });

  it('tells which root a chain rests on', async () => {
    const issuing = await createIssuing(required(next), { cluster, ...validity });
    const { certificatePem } = await issue(issuing, { kind: 'operator', cluster, name: 'kim', ...validity });
    expect(rootOf(certificatePem, both())).toBe(fingerprintOf(pemOf(next)));
    expect(rootOf(certificatePem, pemOf(former))).toBeNull();
    expect([areAmong(pemOf(next), both()), areAmong(both(), pemOf(next)), areAmong('', both())]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
