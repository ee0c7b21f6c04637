/**
 * Tokens by which new nodes enrol, and certificates for people: ordered by operators, answered by any database node's agent.
 *
 * Invariants: a token is consumed in the transaction that lists what it was good for, compared with what was judged; so of two who
 * come with it at once one is refused, and nobody is handed anything that the store does not know. A node may have its own
 * names alone, as the declaration has them at that moment.
 */
import type { AgentBackend } from '../api/contract/backend.ts';
import type { EnrolmentGrant, EnrolmentRequest, PersonRequest, TokenRequest } from '../api/contract/enrolment.ts';
import { type EnrolmentToken, isAwaited, refusalOfToken, tokenKeptMs, toldForMs } from '../core/enrolment.ts';
import { findNode, type NodeName, type NodeSpec, nodesOfRole, type Spec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { tokenKey } from '../records/keys.ts';
import { hasMember, type Issuing } from './issuing.ts';
import type { StandingOrderParts } from './standing-order.ts';

export interface EnrolmentParts extends StandingOrderParts {
  /** Whether the secret is that of the digest; `null`: no token is known, and this takes as long. */
  readonly isSecretOf: (secret: string, node: NodeName, digest: string | null) => boolean;
  /** Of every agent. */
  readonly ports: { readonly api: number; readonly enrolment: number };
  /** What every node trusts. */
  readonly rootsPem: () => string;
  readonly issuing: Pick<Issuing, 'sign' | 'certify'>;
}

const writeWithinMs = 2_000;

export class Enrolment implements Pick<AgentBackend, 'orderToken' | 'enrol' | 'certifyPerson'> {
  readonly #parts: EnrolmentParts;

  constructor(parts: EnrolmentParts) {
    this.#parts = parts;
  }

  /** Is anybody expected, or to be told that he comes too late? */
  get isAwaited(): boolean {
    const { clock, mirror } = this.#parts;
    const told = new Date(clock.wallClock().getTime() - toldForMs).toISOString();
    return [...mirror.image.tokens.values()].some(({ value }) => isAwaited(value, told));
  }

  async orderToken({ digest, forMs, node, role }: TokenRequest, by: string) {
    const { clock, emit, mirror, ports, signal } = this.#parts;
    const spec = this.#spec();
    const declared = findNode(spec, node);
    if (declared === undefined) {
      throw new UnderstudyError('NOT_FOUND', `the spec names no node ${node}`, {
        hint: 'add it to the cluster file and apply that first',
      });
    }
    if (role !== null && role !== declared.role)
      throw new UnderstudyError('REFUSED', `${node} is declared as ${declared.role}, not as ${role}`);
    const now = clock.wallClock();
    const token: EnrolmentToken = {
      ...{ node, role: declared.role, digest, orderedBy: by, orderedAt: now.toISOString() },
      ...{ expiresAt: new Date(now.getTime() + forMs).toISOString(), usedAt: null },
    };
    const result = await mirror.transact(
      [{ key: tokenKey(node), revision: mirror.image.tokens.get(node)?.revision ?? 'absent' }],
      [...this.#forgotten(node), { key: tokenKey(node), value: encodeRecord('token', token) }],
      { withinMs: writeWithinMs, signal },
    );
    if (!result.committed) throw new UnderstudyError('CONFLICT', `somebody else ordered a token for ${node} meanwhile`);
    emit('enrolment.ordered', { by, node, role: declared.role });
    const addresses = nodesOfRole(spec, 'database')
      .filter(({ name }) => name !== node)
      .map(({ address }) => `${address.includes(':') ? `[${address}]` : address}:${ports.enrolment}`);
    return { node, role: declared.role, expiresAt: token.expiresAt, addresses };
  }

  async enrol({ node, secret, wishes }: EnrolmentRequest) {
    const { emit, isSecretOf, issuing, mirror, signal } = this.#parts;
    const spec = this.#spec();
    const known = mirror.image.tokens.get(node) ?? null;
    const isThatOne = isSecretOf(secret, node, known?.value.digest ?? null);
    const refusal = refusalOfToken(known?.value ?? null, isThatOne, spec, this.#now());
    const declared = findNode(spec, node);
    if (known === null || refusal !== null || declared === undefined) throw refuse(node, refusal ?? 'it is unknown');
    const allowed = wishes.filter(({ purpose }) => purpose !== 'store-server' || hasMember(spec, declared));
    const { issued, writes } = await issuing.sign(node, allowed);
    const used = { key: tokenKey(node), value: encodeRecord('token', { ...known.value, usedAt: this.#now() }) };
    const result = await mirror.transact([{ key: tokenKey(node), revision: known.revision }], [...writes, used], {
      ...{ withinMs: writeWithinMs, signal },
    });
    if (!result.committed) throw refuse(node, 'the token was used, or replaced, at the same time');
    const { orderedBy, role } = known.value;
    emit('node.enrolled', { node, role, by: orderedBy });
    return { grant: this.#grant(spec, declared, issued), orderedBy };
  }

  async certifyPerson({ lifeMs, name, request, role }: PersonRequest, by: string) {
    const { emit, issuing, rootsPem } = this.#parts;
    const chain = await issuing.certify({ role, name, request, lifeMs }, by);
    emit('person.certified', { by, role, name });
    return { chain, caPem: rootsPem() };
  }

  #grant(spec: Spec, { address, name, role }: NodeSpec, issued: EnrolmentGrant['issued']): EnrolmentGrant {
    const { ports, rootsPem } = this.#parts;
    const databases = nodesOfRole(spec, 'database').filter((other) => other.name !== name);
    return {
      ...{ issued, caPem: rootsPem(), address, apiPort: ports.api },
      databaseAgents: databases.map((other) => ({ node: other.name, address: other.address })),
      storeEndpoints: role === 'app' ? [] : spec.store.endpoints,
      storeCaFile: spec.store.caFile,
      dataDirectory: spec.postgres.dataDirectory,
    };
  }

  #spec(): Spec {
    const spec = this.#parts.mirror.image.spec?.value.spec;
    if (spec !== undefined) return spec;
    throw new UnderstudyError('STORE_UNREACHABLE', 'this agent has not read the spec yet', {
      hint: 'try again in a second',
    });
  }

  #forgotten(but: string): readonly StoreWrite[] {
    const { clock, mirror } = this.#parts;
    const kept = new Date(clock.wallClock().getTime() - tokenKeptMs).toISOString();
    return [...mirror.image.tokens]
      .filter(([node, { value }]) => node !== but && value.expiresAt < kept)
      .slice(0, 50)
      .map(([node]) => ({ key: tokenKey(node), remove: true }));
  }

  #now(): string {
    return this.#parts.clock.wallClock().toISOString();
  }
}

function refuse(node: string, because: string): UnderstudyError {
  return new UnderstudyError('TOKEN_REFUSED', `${node} may not enrol: ${because}`);
}
