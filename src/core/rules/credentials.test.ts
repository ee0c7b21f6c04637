/** Credentials of applications: who gets a new one, and that no rotation ever closes a login that a pooler uses. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { specOf } from '../../../test/fixtures/spec.ts';
import { loginRole } from '../application-roles.ts';
import type { Stored } from '../cluster-view.ts';
import { type CredentialRecord, credentialName, newerCredentials } from '../credential.ts';
import { plainApplication } from '../plain-spec.ts';
import type { ApplicationSpec, Spec } from '../spec.ts';
import { type CredentialStep, type LoginFacts, lacksLogins, planCredentials } from './credentials.ts';

const application = plainApplication('shop', ['web1']);

function specWith(applications: readonly ApplicationSpec[]): Spec {
  return specOf(['db1', 'web1'], { applications });
}

const [first, second] = [loginRole('shop', 'web1', 1), loginRole('shop', 'web1', 2)];

/** Server, store and pooler of one application on one node; a password is a number, and its digest too. */
class Scene {
  readonly logins = new Map<string, LoginFacts>(
    [first, second].map((role) => [role, { role, canLogin: false, verifierDigest: null }]),
  );
  record: Stored<CredentialRecord> | null = null;
  /** What the pooler logs in with. */
  pooler: { readonly generation: number; readonly digest: string } | null = null;
  reported: number | null = null;
  spec = specWith([application]);
  sealable = new Set(['web1']);
  wallMs = 0;
  #made = 0;
  #revision = 0;

  plan(): readonly CredentialStep[] {
    const { record } = this;
    return planCredentials({
      spec: this.spec,
      records: new Map(record === null ? [] : [[credentialName('web1', 'shop'), record]]),
      logins: [...this.logins.values()],
      sealable: this.sealable,
      inUse: () => this.reported,
      wallMs: this.wallMs,
    });
  }

  /** `isCutShort`: the agent dies between the server and the store. */
  carryOut(isCutShort = false): void {
    for (const step of this.plan()) {
      switch (step.do) {
        case 'close':
          this.logins.set(step.role, { role: step.role, canLogin: false, verifierDigest: null });
          break;
        case 'forget':
          this.record = null;
          break;
        case 'issue': {
          this.#made += 1;
          const verifierDigest = String(this.#made);
          this.logins.set(step.role, { role: step.role, canLogin: true, verifierDigest });
          if (isCutShort) return;
          const { generation, node } = step;
          const wanted = Math.max(generation, step.replaces?.value.wanted ?? 0);
          this.#store({ application: 'shop', node, generation, wanted, verifierDigest, clientPassword: 1 });
        }
      }
    }
  }

  #store(value: Omit<CredentialRecord, 'sealed' | 'issuedAtMs' | 'issuedBy'>): void {
    this.#revision += 1;
    this.record = {
      value: { ...value, sealed: '', issuedAtMs: this.wallMs, issuedBy: 'db1' },
      revision: this.#revision,
    };
  }

  order(): void {
    if (this.record === null) return;
    const { value } = this.record;
    this.#store({ ...value, wanted: value.generation + 1 });
  }

  /** The pooler's agent hears of the record. */
  hear(): void {
    if (this.record === null) return;
    const { generation, verifierDigest } = this.record.value;
    this.pooler = { generation, digest: verifierDigest };
  }

  /** It has left the login before. */
  report(): void {
    this.reported = this.pooler?.generation ?? 0;
  }

  /** Whoever makes it anew takes longer than a report. */
  loseStore(): void {
    this.record = null;
    this.report();
  }

  settle(): void {
    for (let round = 0; round < 8; round += 1) {
      this.carryOut();
      this.hear();
      this.report();
    }
  }

  get canLogIn(): boolean {
    if (this.pooler === null) return true;
    const login = this.logins.get(loginRole('shop', 'web1', this.pooler.generation));
    return login?.canLogin === true && login.verifierDigest === this.pooler.digest;
  }

  get open(): readonly string[] {
    return [...this.logins.values()].filter(({ canLogin }) => canLogin).map(({ role }) => role);
  }
}

describe('credentials', () => {
  it('are made when there are none, and once', () => {
    const scene = new Scene();
    expect(scene.plan()).toMatchObject([{ do: 'issue', generation: 1, role: first, because: 'none-yet' }]);
    scene.settle();
    expect([scene.plan(), scene.open]).toEqual([[], [first]]);
  });

  it('wait for the role, and for somebody to seal to', () => {
    const scene = new Scene();
    scene.sealable = new Set();
    expect(scene.plan()).toEqual([]);
    scene.sealable = new Set(['web1']);
    scene.logins.clear();
    expect(scene.plan()).toEqual([]);
  });

  it('are rotated on order: the old login is open until the pooler has left it', () => {
    const scene = new Scene();
    scene.settle();
    scene.order();
    scene.carryOut();
    expect([scene.record?.value.generation, scene.open]).toEqual([2, [first, second]]);
    scene.order();
    scene.hear();
    expect(scene.plan()).toEqual([]);
    scene.report();
    expect(scene.plan()).toMatchObject([{ do: 'issue', generation: 3, role: first }]);
  });

  it('are closed once the pooler has reported the next one', () => {
    const scene = new Scene();
    scene.settle();
    scene.order();
    scene.carryOut();
    scene.hear();
    scene.report();
    expect(scene.plan()).toEqual([{ do: 'close', role: first }]);
    scene.carryOut();
    expect([scene.plan(), scene.open]).toEqual([[], [second]]);
  });

  it('are rotated when they are as old as declared', () => {
    const scene = new Scene();
    scene.spec = specWith([{ ...application, rotateEveryMs: 1_000 }]);
    scene.settle();
    scene.wallMs = 999;
    expect(scene.plan()).toEqual([]);
    scene.wallMs = 1_000;
    expect(scene.plan()).toMatchObject([{ do: 'issue', generation: 2, because: 'due' }]);
  });

  it('are made anew for what the server does not know, without touching the login that is in use', () => {
    const scene = new Scene();
    scene.settle();
    scene.logins.set(first, { role: first, canLogin: true, verifierDigest: 'restored' });
    expect(scene.plan()).toMatchObject([{ generation: 2, role: second, because: 'unknown-to-the-server' }]);
    // The pooler still uses the first one when the second one is lost: it is the second one's turn again.
    scene.settle();
    scene.order();
    scene.carryOut();
    scene.logins.set(loginRole('shop', 'web1', 3), { role: first, canLogin: true, verifierDigest: null });
    expect(scene.plan()).toMatchObject([{ generation: 5, role: first }]);
  });

  it('go on from what the pooler has when the store was lost', () => {
    const scene = new Scene();
    scene.settle();
    scene.order();
    scene.settle();
    scene.record = null;
    // The agent of the pooler's node has not been heard yet, or is in between two passwords.
    scene.reported = null;
    expect(scene.plan()).toEqual([]);
    scene.report();
    expect(scene.plan()).toMatchObject([{ do: 'issue', generation: 3, role: first, replaces: null }]);
    scene.carryOut();
    expect(scene.canLogIn).toBe(true);
    scene.settle();
    expect([scene.plan(), scene.open, scene.canLogIn]).toEqual([[], [first], true]);
  });

  it('are made at once for a pooler that has none, whoever made an open login', () => {
    const scene = new Scene();
    scene.carryOut(true);
    scene.reported = 0;
    expect(scene.plan()).toMatchObject([{ do: 'issue', generation: 1, because: 'none-yet' }]);
  });

  it('get ahead of what the pooler has, which never goes back', () => {
    const scene = new Scene();
    scene.carryOut();
    scene.reported = 4;
    expect(scene.plan()).toMatchObject([{ do: 'issue', generation: 5, because: 'ahead-of-the-store' }]);
  });

  it('miss a login that somebody dropped', () => {
    const scene = new Scene();
    const lacks = () => lacksLogins({ spec: scene.spec, logins: [...scene.logins.values()] });
    scene.settle();
    expect(lacks()).toBe(false);
    scene.logins.delete(second);
    expect(lacks()).toBe(true);
    scene.spec = specWith([]);
    expect(lacks()).toBe(false);
  });

  it('end with the declaration', () => {
    const scene = new Scene();
    scene.settle();
    scene.spec = specWith([]);
    expect(scene.plan()).toMatchObject([{ do: 'close', role: first }, { do: 'forget' }]);
    scene.carryOut();
    expect([scene.plan(), scene.open, scene.record]).toEqual([[], [], null]);
  });

  it('never fail a pooler, whatever is cut short, and come to rest with one open login', () => {
    const act = fc.constantFrom('carry out', 'die', 'order', 'hear', 'report', 'lose the store');
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
        const scene = new Scene();
        for (const each of acts) {
          if (each === 'carry out') scene.carryOut();
          else if (each === 'die') scene.carryOut(true);
          else if (each === 'lose the store') scene.loseStore();
          else scene[each]();
          expect(scene.canLogIn).toBe(true);
        }
        scene.settle();
        const { generation, wanted } = scene.record?.value ?? { generation: 0, wanted: 0 };
        expect([scene.plan(), scene.open.length, scene.canLogIn, generation]).toEqual([[], 1, true, wanted]);
      }),
    );
  });

  it('come to rest after the server lost any of them', () => {
    const act = fc.constantFrom('carryOut', 'order', 'hear', 'report', 'lose first', 'lose second');
    fc.assert(
      fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
        const scene = new Scene();
        for (const each of acts) {
          if (each === 'lose first' || each === 'lose second') {
            const role = each === 'lose first' ? first : second;
            scene.logins.set(role, { role, canLogin: false, verifierDigest: null });
          } else scene[each]();
        }
        scene.settle();
        expect([scene.plan(), scene.open.length, scene.canLogIn]).toEqual([[], 1, true]);
      }),
    );
  });
});

describe('what an app node goes by', () => {
  const one = (generation: number, clientPassword = 1) => [
    { application: 'shop', generation, sealed: String(generation), clientPassword },
  ];

  it('is the newer one of a declaration, and what a later declaration says', () => {
    expect(newerCredentials(one(2), one(1), null)).toEqual(one(2));
    expect(newerCredentials(one(2), one(3), null)).toEqual(one(3));
    expect(newerCredentials(one(7), one(1), ['shop'])).toEqual(one(1));
    expect(newerCredentials(one(7), [], null)).toEqual(one(7));
    expect(newerCredentials(one(7), [], [])).toEqual([]);
    expect(newerCredentials(one(7), [], ['shop'])).toEqual(one(7));
  });

  it('has no earlier password for its clients than it had', () => {
    expect(newerCredentials(one(2, 3), one(3, 2), null)).toEqual(one(3, 3));
    expect(newerCredentials(one(2, 2), one(2, 3), null)).toEqual(one(2, 3));
    expect(newerCredentials(one(7, 4), one(1), ['shop'])).toEqual(one(1, 4));
  });
});
