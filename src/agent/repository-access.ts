/**
 * What a database node needs to reach the repository of backups: its secret, opened, and the program's files written with it; and
 * the same for database nodes that come later.
 *
 * Invariant: the secret lies in the store sealed to each database node, and in the clear in the program's own files alone. Until
 * it is there, the archive command fails, so that WAL waits.
 */
import type { BackupsSpec } from '../core/backups-spec.ts';
import { inOneLine } from '../core/one-line.ts';
import type { RepositorySecret } from '../core/repository-secret.ts';
import { type NodeName, nodesOfRole, type Spec } from '../core/spec.ts';
import { isFromSystem } from '../errors/system-error.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Repository } from '../ports/repository.ts';
import type { Sealer } from '../ports/sealer.ts';
import { repositorySecretName, secretKey } from '../records/keys.ts';
import { repositorySecret } from '../records/repository-secret-schema.ts';
import type { StoreMirror } from './store-mirror.ts';
import { takeTurns } from './turns.ts';

export interface RepositoryAccessParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  /** The newest that this node knows, also without the store. */
  readonly spec: () => Spec | null;
  readonly sealer: Sealer;
  readonly repository: (spec: Spec) => Repository;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const lookEveryMs = 2_000;
/** Files that somebody has changed or removed are put right this often. */
const rewriteEveryMs = 60_000;
const writeWithinMs = 2_000;

type Opened = { readonly sealed: string; readonly secret: RepositorySecret };

export class RepositoryAccess {
  readonly #parts: RepositoryAccessParts;
  #opened: Opened | null = null;
  #trouble: string | null = null;
  #isForgotten = false;
  /** What the program's files say. */
  #written: {
    readonly backups: string;
    readonly sealed: string;
    readonly repository: Repository;
    readonly atMs: number;
  } | null = null;

  constructor(parts: RepositoryAccessParts) {
    this.#parts = parts;
  }

  /** What can be used now; `null`: nothing is declared, or `trouble` says why not. */
  get repository(): Repository | null {
    const spec = this.#parts.spec();
    if (spec === null || spec.backups === null || this.#opened === null || this.#trouble !== null) return null;
    return this.#parts.repository(spec);
  }

  /** In one line; `null`: all is well, or nothing is declared. */
  get trouble(): string | null {
    return this.#trouble;
  }

  async runForEver(): Promise<void> {
    await takeTurns(this.#parts, lookEveryMs, () => this.turn());
  }

  async turn(): Promise<void> {
    const spec = this.#parts.spec();
    if (spec === null) return;
    try {
      await this.#keep(spec);
      await this.#share(spec);
    } catch (error) {
      if (!isUnderstudyError(error) && !isFromSystem(error)) throw error;
      this.#trouble = inOneLine(describeError(error));
    }
  }

  async #keep(spec: Spec): Promise<void> {
    const repository = this.#parts.repository(spec);
    if (spec.backups === null) {
      this.#trouble = null;
      this.#written = null;
      if (!this.#isForgotten) await repository.forget();
      this.#isForgotten = true;
      return;
    }
    this.#isForgotten = false;
    this.#trouble = this.#open();
    if (this.#opened !== null && this.#trouble === null) await this.#configure(repository, spec.backups, this.#opened);
  }

  async #configure(repository: Repository, declared: BackupsSpec, { sealed, secret }: Opened): Promise<void> {
    const [backups, atMs] = [JSON.stringify(declared), this.#parts.clock.boottimeMs()];
    const last = this.#written;
    const isSame = last?.backups === backups && last.sealed === sealed && last.repository === repository;
    if (isSame && atMs - last.atMs < rewriteEveryMs) return;
    this.#written = null;
    await repository.configure({ backups: declared, secret });
    this.#written = { backups, sealed, repository, atMs };
  }

  /** Answers why it could not. What was opened once stays: the store may be away, and its text is judged by nobody else. */
  #open(): string | null {
    const { mirror, sealer, self } = this.#parts;
    const sealed = mirror.image.secrets.get(`${self}/${repositorySecretName}`)?.value;
    if (sealed === undefined)
      return this.#opened === null ? 'the secret of the repository has not been given yet' : null;
    if (sealed === this.#opened?.sealed) return null;
    const found = sealer.open(secretKey(self, repositorySecretName), sealed);
    if ('because' in found) return `the secret of the repository: ${found.because}`;
    const parsed = repositorySecret.safeParse(json(found.secret));
    if (!parsed.success) return 'the secret of the repository is of another version';
    this.#opened = { sealed, secret: parsed.data };
    return null;
  }

  /** Database nodes that joined later get it from whoever has it; those that left lose it. */
  async #share(spec: Spec): Promise<void> {
    const { mirror, sealer, self, signal } = this.#parts;
    const own = mirror.image.secrets.get(`${self}/${repositorySecretName}`);
    if (own === undefined || this.#opened?.sealed !== own.value) return;
    const names = nodesOfRole(spec, 'database').map(({ name }) => name);
    const isStill = { key: secretKey(self, repositorySecretName), revision: own.revision };
    for (const [place, { revision }] of mirror.image.secrets) {
      const [node = '', name] = place.split('/');
      if (name !== repositorySecretName || names.includes(node)) continue;
      const key = secretKey(node, repositorySecretName);
      await mirror.transact([{ key, revision }, isStill], [{ key, remove: true }], { withinMs: writeWithinMs, signal });
    }
    const lacking = names.filter((node) => !mirror.image.secrets.has(`${node}/${repositorySecretName}`));
    if (lacking.length === 0) return;
    const sealable = sealer.sealable();
    for (const node of lacking.filter((name) => sealable.has(name))) {
      const key = secretKey(node, repositorySecretName);
      const value = sealer.seal(node, key, JSON.stringify(this.#opened.secret));
      // Of several who do this at once, one is the first.
      await mirror.transact([{ key, revision: 'absent' }, isStill], [{ key, value }], {
        withinMs: writeWithinMs,
        signal,
      });
    }
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // judged by its schema
  }
}
