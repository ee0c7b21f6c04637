/**
 * Issues certificates on a database node, for whoever of the spec's nodes asks by its own certificate; and hands the issuing key on
 * to database nodes that don't have it.
 *
 * Invariants: a node is given its own name and address as the spec has them at that moment, and nothing that it asked for but
 * an own certificate that is declared for one of its roles; what is
 * issued to others is in the store's list before it is handed out. The issuing key is opened by the signer alone, never here.
 *
 * To itself a database node issues without the store, too: when all certificates of a cluster have expired, its members need new
 * ones before anybody can read it. What it so gave itself is listed when the store is back.
 */
import {
  type CertificateRecord,
  type CertificateWish,
  forgettable,
  type IssuedCertificate,
  rememberedForMs,
} from '../core/certificates.ts';
import { clusterHostCovered, ownCertificatesOf } from '../core/own-certificates.ts';
import { forgettableRevocations, revokedBefore } from '../core/revocation.ts';
import { findNode, type NodeName, type NodeSpec, nodesOfRole, type Spec } from '../core/spec.ts';
import { isFromSystem } from '../errors/system-error.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type {
  CertificateFiles,
  DecidedCertificate,
  DecidedPerson,
  SignedCertificate,
  Signer,
} from '../ports/certificates.ts';
import type { Clock } from '../ports/clock.ts';
import type { RevokedSerials } from '../ports/revoked.ts';
import type { StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { certificateKey, issuingSecretName, revocationKey, sealingKey, secretKey } from '../records/keys.ts';
import type { ActionLog } from './execution-context.ts';
import { IssuingTurns } from './issuing-turns.ts';
import type { RememberedIssuingKey } from './remembered-issuing-key.ts';
import type { StoreMirror } from './store-mirror.ts';
import { takeTurns } from './turns.ts';

export interface IssuingParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: ActionLog;
  readonly signer: Signer;
  /** The newest that this node knows, also without the store. */
  readonly spec: () => Spec | null;
  readonly remembered: RememberedIssuingKey;
  readonly own: Pick<CertificateFiles, 'records'>;
  readonly revoked: Pick<RevokedSerials, 'has'>;
  /** Its own sealing certificate, with its issuing authority's; `null`: it has none. */
  readonly sealingChain: () => string | null;
}

interface Signed {
  readonly issued: readonly IssuedCertificate[];
  /** What the store is to know of them. */
  readonly writes: readonly StoreWrite[];
}

const writeWithinMs = 2_000;
/** Between looks whether somebody lacks the issuing key. */
const shareEveryMs = 5_000;
/** Of one transaction; etcd takes 128 operations. */
const forgottenAtOnce = 50;

export class Issuing {
  readonly #parts: IssuingParts;
  readonly #turns: IssuingTurns;

  constructor(parts: IssuingParts) {
    this.#parts = parts;
    this.#turns = new IssuingTurns(parts.clock);
  }

  /**
   * Throws FORBIDDEN, CERTIFICATE_REFUSED, NOT_FOUND while this node has no issuing key, CONFLICT when others wait or the node
   * asks too often, STORE_UNREACHABLE.
   */
  async issue(node: NodeName, wishes: readonly CertificateWish[]): Promise<readonly IssuedCertificate[]> {
    const isOwn = node === this.#parts.self;
    return await this.#turns.take(node, isOwn, async () => {
      this.#refuseRevoked(node, wishes);
      const { issued, writes } = await this.sign(node, wishes);
      await this.#list(writes, isOwn);
      return issued;
    });
  }

  /**
   * Signed, and to be handed out when the store's list has it. What was revoked before is no obstacle here: whoever calls this has
   * been told by an operator to let that node in. Throws as `issue` does.
   */
  async sign(node: NodeName, wishes: readonly CertificateWish[]): Promise<Signed> {
    const { self, signer } = this.#parts;
    const spec = this.#parts.spec();
    const asker = spec === null ? undefined : findNode(spec, node);
    if (spec === null || asker === undefined) {
      throw new UnderstudyError('FORBIDDEN', `${node} is no node of this cluster`);
    }
    const signed = await signer.sign(
      this.#requireKey(),
      wishes.map((wish) => decide(spec, asker, wish)),
    );
    const writes = signed.flatMap(({ chain, purpose, record }): StoreWrite[] => {
      const whole: CertificateRecord = { ...record, where: node, requestedBy: node, issuedBy: self };
      const known = { key: certificateKey(record.serial), value: encodeRecord('certificate', whole) };
      if (purpose !== 'sealing') return [known];
      return [known, { key: sealingKey(node), value: encodeRecord('sealing', { node, chainPem: chain }) }];
    });
    return { issued: signed.map(({ purpose, chain }) => ({ purpose, chain })), writes };
  }

  /** For a person, whose certificate is listed before it is answered. Throws CERTIFICATE_REFUSED, NOT_FOUND, STORE_UNREACHABLE. */
  async certify(person: DecidedPerson, requestedBy: string): Promise<string> {
    const { signer, self } = this.#parts;
    const { chain, record } = await signer.certify(this.#requireKey(), person);
    const whole: CertificateRecord = { ...record, where: null, requestedBy, issuedBy: self };
    await this.#list([{ key: certificateKey(record.serial), value: encodeRecord('certificate', whole) }], false);
    return chain;
  }

  /** Until the agent ends: database nodes come and go. */
  async shareForEver(): Promise<void> {
    await takeTurns(this.#parts, shareEveryMs, async () => {
      try {
        await this.#share();
      } catch (error) {
        if (!isUnderstudyError(error) && !isFromSystem(error)) throw error;
        this.#parts.log.warn({ because: describeError(error) }, 'the issuing key could not be handed on');
      }
    });
  }

  async #list(writes: readonly StoreWrite[], isOwn: boolean): Promise<void> {
    const { clock, mirror, signal } = this.#parts;
    try {
      await mirror.transact([], [...writes, ...this.#forgotten(clock.wallClock())], {
        withinMs: writeWithinMs,
        signal,
      });
    } catch (error) {
      const isAway = isUnderstudyError(error, 'STORE_UNREACHABLE') || isUnderstudyError(error, 'STORE_CERTIFICATE');
      if (!isOwn || !isAway) throw error;
    }
  }

  #refuseRevoked(node: NodeName, wishes: readonly CertificateWish[]): void {
    const { mirror, own, revoked, self } = this.#parts;
    const listed = [...mirror.image.certificates.values()].map(({ value }) => value);
    const records = node === self ? [...listed, ...own.records().map((record) => ownRecord(record, self))] : listed;
    const former = wishes.flatMap((wish) => revokedBefore(records, (serial) => revoked.has(serial), node, wish) ?? []);
    if (former[0] !== undefined) throw forbidden(node, `the one before it, ${former[0]}, has been revoked`);
  }

  #requireKey(): string {
    const key = this.#key();
    if (key !== null) return key;
    throw new UnderstudyError('NOT_FOUND', `${this.#parts.self} has no issuing key yet`, {
      hint: 'another database node has it',
    });
  }

  #key(): string | null {
    const { mirror, remembered, self } = this.#parts;
    return mirror.image.secrets.get(`${self}/${issuingSecretName}`)?.value ?? remembered.read();
  }

  /** What this node gave itself while the store was away. */
  async #listOwn(): Promise<void> {
    const { mirror, own, self, signal } = this.#parts;
    const missing = own.records().filter(({ serial }) => !mirror.image.certificates.has(serial));
    const writes = missing.map((record) => {
      return { key: certificateKey(record.serial), value: encodeRecord('certificate', ownRecord(record, self)) };
    });
    if (writes.length > 0) await mirror.transact([], writes, { withinMs: writeWithinMs, signal });
  }

  async #share(): Promise<void> {
    const { mirror, self, signal, signer } = this.#parts;
    const { secrets, sealing, spec } = mirror.image;
    const own = secrets.get(`${self}/${issuingSecretName}`);
    if (spec === null) return;
    if (own === undefined) return await this.#bring();
    this.#parts.remembered.write(own.value);
    await this.#listOwn();
    const databases = nodesOfRole(spec.value.spec, 'database').map(({ name }) => name);
    for (const [place, { revision }] of secrets) {
      const [node = '', name] = place.split('/');
      if (name !== issuingSecretName || databases.includes(node)) continue;
      const key = secretKey(node, issuingSecretName);
      await mirror.transact([{ key, revision }], [{ key, remove: true }], { withinMs: writeWithinMs, signal });
    }
    const lacking = databases.flatMap((node) => {
      const certificate = sealing.get(node);
      const isThere = secrets.has(`${node}/${issuingSecretName}`);
      return certificate === undefined || isThere ? [] : [{ node, chainPem: certificate.value.chainPem }];
    });
    if (lacking.length === 0) return;
    for (const { node, sealed } of await signer.share(own.value, lacking)) {
      const key = secretKey(node, issuingSecretName);
      // Of several who do this at once, one is the first.
      const lacks = { key, revision: 'absent' } as const;
      // It may be another authority's by now.
      const isStill = { key: secretKey(self, issuingSecretName), revision: own.revision };
      await mirror.transact([lacks, isStill], [{ key, value: sealed }], { withinMs: writeWithinMs, signal });
    }
  }

  /** The first node of a cluster was given the issuing key on its disk: the store of a new cluster knows of none. */
  async #bring(): Promise<void> {
    const { mirror, remembered, sealingChain, self, signal } = this.#parts;
    const { authority, secrets } = mirror.image;
    const isSomewhere = [...secrets.keys()].some((place) => place.endsWith(`/${issuingSecretName}`));
    const [key, chainPem] = [remembered.read(), sealingChain()];
    if (isSomewhere || authority !== null || key === null || chainPem === null) return;
    const place = secretKey(self, issuingSecretName);
    const writes = [
      { key: place, value: key },
      { key: sealingKey(self), value: encodeRecord('sealing', { node: self, chainPem }) },
    ];
    await mirror.transact([{ key: place, revision: 'absent' }], writes, { withinMs: writeWithinMs, signal });
  }

  #forgotten(now: Date): readonly StoreWrite[] {
    const records = [...this.#parts.mirror.image.certificates.values()].map(({ value }) => value);
    const monthAgo = new Date(now.getTime() - rememberedForMs);
    const revocations = [...this.#parts.mirror.image.revocations.values()].map(({ value }) => value);
    const gone = [
      ...forgettable(records, now.toISOString(), monthAgo.toISOString()).map(certificateKey),
      ...forgettableRevocations(revocations, monthAgo.toISOString()).map(revocationKey),
    ];
    return gone.slice(0, forgottenAtOnce).map((key) => ({ key, remove: true }));
  }
}

/** Of the first operator there is no other trace: who made it had no cluster to tell (pki/founding.ts). */
function ownRecord(record: SignedCertificate['record'], self: NodeName): CertificateRecord {
  const isPersons = record.kind === 'operator' || record.kind === 'viewer';
  if (isPersons) return { ...record, where: null, requestedBy: 'ca first-node', issuedBy: null };
  return { ...record, where: self, requestedBy: self, issuedBy: self };
}

/** Members of the store on one machine call each other from there, and etcd checks the caller's address too. */
const loopback = '127.0.0.1';

function decide(spec: Spec, asker: NodeSpec, wish: CertificateWish): DecidedCertificate {
  const { purpose, request } = wish;
  const { name: node, role, address } = asker;
  const wanted = { purpose, request, node, role, lifeMs: spec.tls.certificateLifeMs };
  if (purpose === 'own') return { ...wanted, ...decideOwn(spec, node, wish.name ?? ''), addresses: [] };
  if (purpose === 'store-client' && role === 'app') throw forbidden(node, 'app nodes have no access to the store');
  if (purpose !== 'store-server') return { ...wanted, addresses: [address] };
  if (role === 'app' || !hasMember(spec, asker)) throw forbidden(node, 'no member of the store is declared there');
  return { ...wanted, addresses: [address, loopback] };
}

function decideOwn(spec: Spec, node: NodeName, name: string): Pick<DecidedCertificate, 'ownName' | 'lifeMs'> {
  const declared = ownCertificatesOf(spec, node).find((certificate) => certificate.name === name);
  if (declared === undefined) throw forbidden(node, `${JSON.stringify(name)} is declared for none of its roles`);
  const host = clusterHostCovered(spec, name);
  if (host !== null) throw forbidden(node, `${name} stands for ${host}, a host of the cluster itself`);
  return { ownName: declared.name, lifeMs: declared.lifeMs };
}

/** Does a declared endpoint of the store lie on that node? */
export function hasMember({ domain, store }: Spec, { name, address }: NodeSpec): boolean {
  const hosts = store.endpoints.map((endpoint) => new URL(endpoint).hostname.replace(/^\[|\]$/g, ''));
  return [address, name, `${name}.${domain}`].some((host) => hosts.includes(host));
}

function forbidden(node: NodeName, because: string): UnderstudyError {
  return new UnderstudyError('FORBIDDEN', `${node} may have no such certificate: ${because}`);
}
