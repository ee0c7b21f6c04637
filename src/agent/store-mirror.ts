/**
 * This agent's copy of what is in the store, kept up to date by a watch.
 *
 * Decisions read the copy; whatever they write compares revisions, so a copy that lags makes a write fail and never
 * does harm. `confirmedAtMs` is the boottime before the last linearizable answer was asked for; `leaseSeenAtMs` the one
 * after the last change of lease or renewal was here, whenever somebody looks.
 */
import type { StoreView } from '../core/cluster-view.ts';
import { nodesShutOut } from '../core/revocation.ts';
import type { NodeName } from '../core/spec.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { CallOptions, Store, StoreChange, StoreCondition, StoreWrite, TransactionResult } from '../ports/store.ts';
import { applyChanges, applyWrites, imageOf } from '../records/image-changes.ts';
import { emptyImage, type StoreImage } from '../records/store-image.ts';

/** Between attempts to read everything while the store does not answer, in ms. */
const rereadAfterMs = 500;
const readWithinMs = 2_000;

/** What a refused transaction found at the keys that it compared. */
function correction(
  conditions: readonly StoreCondition[],
  result: TransactionResult & { committed: false },
): readonly StoreChange[] {
  return conditions.map(({ key }): StoreChange => {
    const entry = result.found.get(key);
    return entry === undefined ? { kind: 'removed', key, revision: result.revision } : { kind: 'put', entry };
  });
}

export class StoreMirror {
  readonly #store: Store;
  readonly #clock: Clock;
  /** `isMaterial`: decisions may depend on it; renewals and figures alone are not. */
  readonly #onChange: (isMaterial: boolean) => void;
  readonly #ended = new AbortController();
  #watch: AbortController | null = null;
  #image: StoreImage = emptyImage();
  #readAtMs: number | null = null;
  #confirmedAtMs: number | null = null;
  #leaseSeenAtMs: number | null = null;
  #shutOut: ReadonlySet<NodeName> = new Set();
  #trouble: string | null = null;
  #following: Promise<void> | null = null;

  constructor(store: Store, clock: Clock, onChange: (isMaterial: boolean) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get image(): StoreImage {
    return this.#image;
  }

  get view(): StoreView {
    const { spec, cluster, lease, renewal, operation, members, poolers, unreadable } = this.#image;
    const { durability, handsOff, readOnly, acceptedLoss, ballots, timelines, credentials, sealing } = this.#image;
    return {
      readAtMs: this.#readAtMs,
      confirmedAtMs: this.#confirmedAtMs,
      leaseSeenAtMs: this.#leaseSeenAtMs,
      spec,
      cluster,
      lease,
      renewal,
      operation,
      durability,
      handsOff,
      readOnly,
      acceptedLoss,
      ballots,
      timelines,
      members,
      poolers,
      credentials,
      sealing,
      shutOut: this.#shutOut,
      unreadable,
    };
  }

  /** Why the store could not be read last time; `null` when it could. */
  get trouble(): string | null {
    return this.#trouble;
  }

  follow(): void {
    this.#following ??= this.#readUntilAnswered();
  }

  /** A transaction whose effect, once acknowledged, is part of the copy at once. */
  async transact(
    conditions: readonly StoreCondition[],
    writes: readonly StoreWrite[],
    options: CallOptions,
  ): Promise<TransactionResult> {
    const sentAtMs = this.#clock.boottimeMs();
    const result = await this.#store.transact(conditions, writes, options);
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs ?? 0, sentAtMs);
    if (result.committed) {
      this.#replace(applyWrites(this.#image, writes, result.revision));
    } else {
      this.#replace(applyChanges(this.#image, correction(conditions, result), result.revision));
    }
    return result;
  }

  async close(): Promise<void> {
    this.#ended.abort();
    this.#watch?.abort();
    await this.#following;
  }

  #replace(image: StoreImage): void {
    const before = this.#image;
    this.#image = image;
    if (before.certificates !== image.certificates || before.revocations !== image.revocations) {
      const records = [...image.certificates.values()].map(({ value }) => value);
      this.#shutOut =
        image.revocations.size === 0 ? new Set() : nodesShutOut(records, (serial) => image.revocations.has(serial));
    }
    if (isRenewed(before, image)) this.#leaseSeenAtMs = this.#clock.boottimeMs();
    this.#onChange(isMaterialChange(before, image));
  }

  async #readUntilAnswered(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const sentAtMs = this.#clock.boottimeMs();
      try {
        const snapshot = await this.#store.readAll({ withinMs: readWithinMs, signal });
        // An own write may have been acknowledged after this was read: never step back behind it.
        if (snapshot.revision < this.#image.revision) {
          this.#trouble = `the store is at revision ${snapshot.revision}, behind ${this.#image.revision}: was it restored?`;
          await this.#clock.sleep(rereadAfterMs, signal).catch(() => undefined);
          continue;
        }
        const image = imageOf(snapshot);
        this.#readAtMs = sentAtMs;
        this.#confirmedAtMs = Math.max(this.#confirmedAtMs ?? 0, sentAtMs);
        this.#trouble = null;
        this.#watchFrom(snapshot.revision + 1);
        this.#replace(image);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isUnderstudyError(error)) throw error;
        this.#trouble = describeError(error);
        await this.#clock.sleep(rereadAfterMs, signal).catch(() => undefined);
      }
    }
  }

  #watchFrom(revision: number): void {
    this.#watch?.abort();
    const watch = new AbortController();
    this.#watch = watch;
    this.#store.watch(
      revision,
      {
        changed: (changes, at) => {
          this.#replace(applyChanges(this.#image, changes, at));
        },
        lost: () => {
          watch.abort();
          this.#following = this.#readUntilAnswered();
        },
      },
      watch.signal,
    );
  }
}

function isRenewed(before: StoreImage, after: StoreImage): boolean {
  return before.lease?.revision !== after.lease?.revision || before.renewal?.revision !== after.renewal?.revision;
}

/** Each holder's renewal reaches every agent: none of them has anything to decide on it. */
function isMaterialChange(before: StoreImage, after: StoreImage): boolean {
  const { spec, cluster, lease, operation, durability, acceptedLoss, ballots, timelines, members } = after;
  if (before.acceptedLoss !== acceptedLoss) return true;
  if (before.durability !== durability || before.ballots !== ballots || before.timelines !== timelines) return true;
  if (before.spec !== spec || before.cluster !== cluster || before.lease !== lease) return true;
  if (before.revocations !== after.revocations) return true;
  if (before.handsOff !== after.handsOff || before.trust !== after.trust) return true;
  if (before.credentials !== after.credentials || before.sealing !== after.sealing) return true;
  if (before.operation !== operation || before.members.size !== members.size) return true;
  if (before.members === members) return false;
  return [...members].some(([node, { value }]) => {
    const old = before.members.get(node)?.value;
    return old === undefined || old.term !== value.term || old.postgres.state !== value.postgres.state;
  });
}
