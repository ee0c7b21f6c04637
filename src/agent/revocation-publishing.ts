/**
 * Has the lists of the issuing authority that this node has the key of stand in the store, with all that was revoked in them; and
 * those of roots that lie on this node.
 *
 * Invariant: each authority that signs has one, from the moment at which the store names it: PostgreSQL refuses whoever has a
 * certificate of an authority without a list. An authority whose key nobody has any more keeps its last list; agents obey the records themselves.
 */
import type { RevocationListRecord } from '../core/revocation.ts';
import type { NodeName } from '../core/spec.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Signer } from '../ports/certificates.ts';
import type { Clock } from '../ports/clock.ts';
import { encodeRecord } from '../records/codecs.ts';
import { issuingSecretName, revocationListKey } from '../records/keys.ts';
import type { StoreImage } from '../records/store-image.ts';
import type { ActionLog } from './execution-context.ts';
import type { StoreMirror } from './store-mirror.ts';
import { Wakeup } from './wakeup.ts';

export interface ListedAuthority {
  /** Of the authority's certificate. */
  readonly serial: string;
  readonly isRoot: boolean;
  /** `null`: the list can't be read, or the authority has not signed it. */
  readonly revoked: ReadonlySet<string> | null;
}

export interface PublishingParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly onChange: (listener: () => void) => () => void;
  readonly signer: Pick<Signer, 'list'>;
  /** Of roots that this node trusts, as somebody laid them beside their certificates: nobody here could sign any. */
  readonly beside: () => readonly RevocationListRecord[];
  readonly read: (record: RevocationListRecord) => ListedAuthority | null;
  /** Serial of the issuing authority in use, or of this node's own certificate; `null`: not known. */
  readonly authorityInUse: () => string | null;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: ActionLog;
}

const writeWithinMs = 2_000;
const lookEveryMs = 5_000;
/** The holder is first, so that not every node starts a program for it. */
const othersAfterMs = 3_000;

export class RevocationPublishing {
  readonly #parts: PublishingParts;
  readonly #wakeup = new Wakeup();
  /** Whose key it is that is sealed to this node, as far as that was seen. */
  #key: { readonly sealed: string; readonly authority: string } | null = null;
  #lackingSinceMs: number | null = null;

  constructor(parts: PublishingParts) {
    this.#parts = parts;
  }

  /** Ends with the signal. */
  async run(): Promise<void> {
    const { clock, log, mirror, onChange, signal } = this.#parts;
    let heard: Pick<StoreImage, 'authority' | 'revocations'> | null = null;
    const stop = onChange(() => {
      const { authority, revocations } = mirror.image;
      if (heard?.revocations === revocations && heard.authority === authority) return;
      heard = { authority, revocations };
      this.#wakeup.wake();
    });
    let told = '';
    while (!signal.aborted) {
      let waitMs = lookEveryMs;
      try {
        waitMs = await this.#turn();
        told = '';
      } catch (error) {
        if (!isUnderstudyError(error)) throw error;
        const because = describeError(error);
        if (because !== told) log.warn({ because }, 'a list of revoked certificates could not be published');
        told = because;
      }
      await this.#wakeup.wait(waitMs, clock, signal);
    }
    stop();
  }

  /** Answers when to look again. */
  async #turn(): Promise<number> {
    const { clock, mirror, self } = this.#parts;
    await this.#publishRoots();
    const sealed = mirror.image.secrets.get(`${self}/${issuingSecretName}`)?.value;
    if (sealed === undefined || !this.#isLacking(sealed)) {
      this.#lackingSinceMs = null;
      return lookEveryMs;
    }
    const nowMs = clock.boottimeMs();
    this.#lackingSinceMs ??= nowMs;
    const lease = mirror.image.lease?.value;
    const isHolder = lease?.state === 'held' && lease.holder === self;
    const restMs = isHolder ? 0 : this.#lackingSinceMs + othersAfterMs - nowMs;
    if (restMs > 0) return restMs;
    await this.#publish(sealed);
    return lookEveryMs;
  }

  #isLacking(sealed: string): boolean {
    const { authorityInUse, mirror, read } = this.#parts;
    const { revocations, revocationLists } = mirror.image;
    const listed = [...revocationLists].flatMap(([serial, { value }]) => {
      const found = read(value);
      return found?.isRoot === true ? [] : [{ serial, revoked: found?.revoked ?? null }];
    });
    const short = listed.filter(({ revoked }) => [...revocations.keys()].some((one) => revoked?.has(one) !== true));
    const used = authorityInUse();
    const lacking = [
      ...short.map(({ serial }) => serial),
      ...(used === null || revocationLists.has(used) ? [] : [used]),
    ];
    const mine = this.#key?.sealed === sealed ? this.#key.authority : null;
    return lacking.some((serial) => mine === null || serial === mine);
  }

  /** So that one node that has it is enough. One that stands there stays. */
  async #publishRoots(): Promise<void> {
    const { beside, mirror, read, signal } = this.#parts;
    const { revision, revocationLists } = mirror.image;
    if (revision === 0) return;
    for (const record of beside()) {
      const serial = read(record)?.serial;
      if (serial === undefined || revocationLists.has(serial)) continue;
      const key = revocationListKey(serial);
      await mirror.transact([{ key, revision: 'absent' }], [{ key, value: encodeRecord('revocation-list', record) }], {
        withinMs: writeWithinMs,
        signal,
      });
    }
  }

  async #publish(sealed: string): Promise<void> {
    const { mirror, read, signal, signer } = this.#parts;
    const record = await signer.list(sealed);
    const serial = read(record)?.serial;
    if (serial === undefined) return;
    this.#key = { sealed, authority: serial };
    const key = revocationListKey(serial);
    const revision = mirror.image.revocationLists.get(serial)?.revision ?? 'absent';
    // Of several who do this at once, one is the first; who comes later sees what that one wrote.
    await mirror.transact([{ key, revision }], [{ key, value: encodeRecord('revocation-list', record) }], {
      withinMs: writeWithinMs,
      signal,
    });
  }
}
