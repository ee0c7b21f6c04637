/** Passwords beside a standby that lags: it is waited for once in a pass, and no password is replaced by another meanwhile. */
import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import { specOf } from '../../test/fixtures/spec.ts';
import { held, poolerReport, stored, storeView } from '../../test/fixtures/view.ts';
import { loginRole, loginRoles } from '../core/application-roles.ts';
import { type CredentialRecord, credentialName } from '../core/credential.ts';
import { type Lsn, lsnFromOffset } from '../core/lsn.ts';
import type { LoginFacts } from '../core/rules/credentials.ts';
import { decodeRecord } from '../records/codecs.ts';
import { credentialKey } from '../records/keys.ts';
import { emptyImage } from '../records/store-image.ts';
import { fakeCredentialMaker } from '../sim/fakes/logins.ts';
import { type CredentialContext, credentialsWork } from './execute-credentials.ts';
import { PendingCredentials } from './pending-credentials.ts';

const nodes = ['web1', 'web2', 'web3'] as const;
const spec = specOf(['db1', 'db2', ...nodes]);

/** A primary with one standby, which replays only what it is told to. */
class World {
  readonly clock = new HandClock();
  readonly logins = new Map<string, LoginFacts>();
  readonly records = new Map<string, { readonly value: CredentialRecord; readonly revision: number }>();
  /** Whom the statements gave a password, in order. */
  readonly written: string[] = [];
  readonly waits: number[] = [];
  sealingRevision = 1;
  replayed = 0;
  #end = 0;
  #revision = 10;

  constructor() {
    for (const node of nodes) {
      for (const role of loginRoles('shop', node))
        this.logins.set(role, { role, canLogin: false, verifierDigest: null });
    }
  }

  order(): void {
    for (const [name, { value, revision }] of this.records)
      this.records.set(name, { value: { ...value, wanted: value.generation + 1 }, revision });
  }

  catchUp(): void {
    this.replayed = this.#end;
  }

  readonly #context = (pending: PendingCredentials): CredentialContext => ({
    self: 'db1',
    clock: this.clock,
    credentials: this.#maker,
    pending,
    emit: () => undefined,
    achieved: () => undefined,
    postgres: {
      logins: async () => [...this.logins.values()],
      openLogin: async (role, verifier) => this.#open(role, verifier),
      lacking: async (mark, { replayWithinMs, except = [] }) => this.#lacking(mark, replayWithinMs, except),
      closeLogin: async (role) => void this.logins.set(role, { role, canLogin: false, verifierDigest: null }),
    },
    mirror: this.#mirror(),
  });
  readonly #maker = fakeCredentialMaker(nodes);

  /** `pending` made anew is an agent that began anew. */
  async pass(pending: PendingCredentials): Promise<string | null> {
    this.waits.splice(0);
    const work = credentialsWork(this.#context(pending), { spec, key: 'now' }, { reports: new Map() });
    return await work(new AbortController().signal).then(
      () => null,
      (error: unknown) => String(error),
    );
  }

  #open(role: string, verifier: string): Lsn {
    this.#end += 100;
    this.written.push(role);
    this.logins.set(role, { role, canLogin: true, verifierDigest: verifier });
    return lsnFromOffset(BigInt(this.#end));
  }

  #lacking(mark: Lsn, replayWithinMs: number, except: readonly string[]): readonly string[] {
    if (mark <= BigInt(this.replayed) || except.includes('db2')) return [];
    this.waits.push(replayWithinMs);
    this.clock.nowMs += replayWithinMs;
    return ['db2'];
  }

  #mirror(): CredentialContext['mirror'] {
    const lease = held('db1');
    const generations = (node: string) => ({
      shop: this.records.get(credentialName(node, 'shop'))?.value.generation ?? 0,
    });
    return {
      image: { ...emptyImage(), lease },
      view: storeView({
        credentials: new Map(this.records),
        sealing: new Map(nodes.map((node) => [node, stored({ node, chainPem: '' }, this.sealingRevision)])),
        poolers: new Map(nodes.map((node) => [node, stored(poolerReport({ node, credentials: generations(node) }))])),
      }),
      transact: async (_, writes) => {
        for (const write of writes) {
          const record = 'value' in write ? decodeRecord('credential', write.value) : null;
          if (record?.ok !== true) throw new Error('not a credential');
          const { node, application } = record.value;
          expect(write.key).toBe(credentialKey(node, application));
          this.#revision += 1;
          this.records.set(credentialName(node, application), { value: record.value, revision: this.#revision });
        }
        return { committed: true, revision: this.#revision };
      },
    };
  }
}

describe('beside a standby that lags', () => {
  let world: World;
  let pending: PendingCredentials;
  const seconds = nodes.map((node) => loginRole('shop', node, 2));
  const generations = () => [...world.records.values()].map(({ value }) => value.generation);

  beforeEach(async () => {
    world = new World();
    pending = new PendingCredentials();
    expect(await world.pass(pending)).toBeNull();
    // Without any password an application has nothing at all, so that it gets one nevertheless; one is waited for.
    expect(generations()).toEqual([1, 1, 1]);
    expect(world.waits).toEqual([1_000, 0, 0]);
    world.written.splice(0);
    world.order();
  });

  it('a rotation gives each login one password, however often it is tried, and waits once in each pass', async () => {
    for (let attempt = 0; attempt < 4; attempt += 1) {
      expect(await world.pass(pending)).toContain('waits for db2 to replay the new password');
      expect(world.waits).toEqual([5_000, 0, 0]);
    }
    expect(world.written).toEqual(seconds);
    const digests = seconds.map((role) => world.logins.get(role)?.verifierDigest);
    expect(generations()).toEqual([1, 1, 1]);
    world.catchUp();
    expect(await world.pass(pending)).toBeNull();
    expect(generations()).toEqual([2, 2, 2]);
    expect([...world.records.values()].map(({ value }) => value.verifierDigest)).toEqual(digests);
    expect(world.written).toEqual(seconds);
  });

  it('ends for those whose password it has replayed', async () => {
    await world.pass(pending);
    world.replayed = 400;
    expect(await world.pass(pending)).toContain('shop on web2 waits');
    expect(generations()).toEqual([2, 1, 1]);
    expect(world.written).toEqual(seconds);
  });

  it.each<[string, (world: World) => void]>([
    [
      'changed the password by hand',
      ({ logins }) => {
        for (const role of seconds) logins.set(role, { role, canLogin: true, verifierDigest: 'another' });
      },
    ],
    [
      'closed the login',
      ({ logins }) => {
        for (const [role, login] of logins) if (seconds.includes(role)) logins.set(role, { ...login, canLogin: false });
      },
    ],
    [
      'gave the node another sealing certificate',
      (changed) => {
        changed.sealingRevision += 1;
      },
    ],
  ])('makes another password where somebody %s meanwhile', async (_, change) => {
    await world.pass(pending);
    change(world);
    await world.pass(pending);
    expect(world.written).toEqual([...seconds, ...seconds]);
  });

  it('makes another one where the agent began anew', async () => {
    await world.pass(pending);
    await world.pass(new PendingCredentials());
    expect(world.written).toEqual([...seconds, ...seconds]);
  });
});
