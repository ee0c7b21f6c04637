/** Files of this node that can't be read for a moment: a trouble that is told, and no end of the agent. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCredentialKeeper } from './credential-keeper.ts';
import { createCredentialMaker } from './credential-maker.ts';
import { readOwnSealing, trustIn } from './own-sealing.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-sealing-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const missing = () => join(directory, 'missing');
const parts = () => ({
  self: 'web1',
  own: () => ({ certificatePem: '', keyPem: '' }),
  trust: trustIn('psf', missing(), () => undefined),
  nowMs: () => 0,
});
const noKey = () => readOwnSealing({ certificate: missing(), key: missing() });

describe('what this node trusts', () => {
  it('can not be read: what was sealed stays closed, and why is told', () => {
    const keeper = (change: { readonly own?: typeof noKey }) => {
      const made = createCredentialKeeper({ ...parts(), ...change, file: join(directory, 'credentials.json') });
      made.keep([{ application: 'shop', generation: 1, clientPassword: 1, sealed: 'sealed' }]);
      return { password: made.passwordOf('shop', 1), trouble: made.trouble };
    };
    expect(keeper({})).toEqual({
      password: null,
      trouble: expect.stringMatching(/^shop: what this node trusts: ENOENT/),
    });
    expect(keeper({ own: noKey })).toMatchObject({ password: null, trouble: expect.stringMatching(/sealing key/) });
  });

  it('can not be read: nothing is sealed to anybody meanwhile', () => {
    const certificates = () => [{ node: 'web2', chainPem: 'chain' }];
    expect(createCredentialMaker({ ...parts(), certificates }).sealable()).toEqual(new Set());
    expect(createCredentialMaker({ ...parts(), own: noKey, certificates }).sealable()).toEqual(new Set());
  });
});
