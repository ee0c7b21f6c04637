/**
 * Anchors this agent's audit log in the store, and what the store says of other logs in this one.
 *
 * Invariant: an anchor only ever moves forward, and only to a log that holds the one before: otherwise that one is kept beside
 * the new one for ever, and told. What the store says of others is told at once when it contradicts what it said before, and
 * from time to time otherwise, and only while there is something new: agents at rest would go on telling each other.
 */
import type { AuditTrail } from '../audit/trail.ts';
import type { AnchoredHead, AuditAnchor, AuditHead } from '../core/audit-anchor.ts';
import type { NodeName } from '../core/spec.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { encodeRecord } from '../records/codecs.ts';
import { auditKey } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { ReceivedReports } from './pooler-reports.ts';
import type { StoreMirror } from './store-mirror.ts';
import { takeTurns } from './turns.ts';

export interface AnchoringParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly log: {
    readonly anchorable: AnchoredHead | null;
    holds(head: AuditHead): Promise<boolean>;
  };
  readonly trail: AuditTrail;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** While a switchover moves, the store has better things to do. */
  readonly isBusy: () => boolean;
  /** What nodes without a store say of their own logs. */
  readonly reported: () => readonly (AnchoredHead & { readonly node: NodeName })[];
  readonly emit: ExecutionContext['emit'];
  readonly times?: AnchoringTimes;
}

export interface AnchoringTimes {
  readonly lookEachMs: number;
  /** Between two lines about the same other log. */
  readonly seenEachMs: number;
}

const usualTimes: AnchoringTimes = { lookEachMs: 2_000, seenEachMs: 60_000 };
const writeWithinMs = 2_000;
const unmetAtMost = 16;

interface Known {
  readonly head: AnchoredHead;
  /** When a line about it was written, and what it told then. */
  readonly seenAtMs: number;
  readonly seenTold: number;
}

export class AuditAnchoring {
  readonly #parts: AnchoringParts;
  readonly #others = new Map<NodeName, Known>();
  /** The anchor that this process wrote, or found to be held by its log. */
  #met: AuditHead | null = null;
  /** What was told already; the store may not have taken it yet. */
  readonly #accused = new Set<string>();

  constructor(parts: AnchoringParts) {
    this.#parts = parts;
  }

  /** Until the signal fires. Never rejects for the store's sake. */
  async run(): Promise<void> {
    const { times = usualTimes } = this.#parts;
    await takeTurns(this.#parts, times.lookEachMs, () => this.look());
  }

  async look(): Promise<void> {
    const { image } = this.#parts.mirror;
    if (image.revision === 0) return;
    const { self, reported } = this.#parts;
    for (const [node, { value }] of image.audits) if (node !== self) this.#hear(node, value);
    for (const { node, ...head } of reported()) this.#hear(node, head);
    if (this.#parts.isBusy()) return;
    try {
      await this.#anchor();
    } catch (error) {
      // The next look tries again; an anchor that is late harms nobody.
      if (!isUnderstudyError(error))
        throw new Error(`anchoring the audit log: ${describeError(error)}`, { cause: error });
    }
  }

  async #anchor(): Promise<void> {
    const { clock, log, mirror, self, signal } = this.#parts;
    const stored = mirror.image.audits.get(self);
    const before = stored?.value ?? null;
    const head = log.anchorable;
    if (head === null) return;
    if (before !== null && isSame(before, head)) {
      this.#met = before;
      return;
    }
    const unmet = before === null ? [] : await this.#unmet(before);
    const isNews = before === null || unmet.length > before.unmet.length || head.sequence > before.sequence;
    if (!isNews) return;
    const anchor: AuditAnchor = { ...head, at: clock.wallClock().toISOString(), unmet };
    const key = auditKey(self);
    const result = await mirror.transact(
      [{ key, revision: stored?.revision ?? 'absent' }],
      [{ key, value: encodeRecord('audit', anchor) }],
      { withinMs: writeWithinMs, signal },
    );
    if (result.committed) this.#met = head;
  }

  /** Those that the log does not hold, the one that stands there now among them. */
  async #unmet(before: AuditAnchor): Promise<readonly AuditHead[]> {
    const { sequence, hash, unmet } = before;
    if (this.#met !== null && isSame(this.#met, before)) return unmet;
    if (unmet.some((one) => isSame(one, before)) || (await this.#parts.log.holds(before))) return unmet;
    if (!this.#accused.has(hash)) {
      this.#accused.add(hash);
      this.#parts.trail.record('anchor.unmet', null, { sequence, hash });
      this.#parts.emit('audit.contradicted', { node: this.#parts.self, by: 'the store', sequence });
    }
    return [...unmet, { sequence, hash }].slice(0, unmetAtMost);
  }

  #hear(of: NodeName, { sequence, hash, told }: AnchoredHead): void {
    const { clock, emit, self, trail, times = usualTimes } = this.#parts;
    const nowMs = clock.boottimeMs();
    const known = this.#others.get(of);
    const head = { sequence, hash, told };
    if (known !== undefined && contradicts(known.head, head)) {
      trail.record('anchor.contradicted', null, {
        of,
        from: known.head.sequence,
        was: known.head.hash,
        sequence,
        hash,
      });
      emit('audit.contradicted', { node: of, by: `the log of ${self}`, sequence: known.head.sequence });
    }
    const isDue = known === undefined || (told > known.seenTold && nowMs - known.seenAtMs >= times.seenEachMs);
    if (isDue) trail.record('anchor.seen', null, { of, sequence, hash });
    this.#others.set(of, {
      head,
      seenAtMs: isDue ? nowMs : known.seenAtMs,
      seenTold: isDue ? told : known.seenTold,
    });
  }
}

function isSame(one: AuditHead, other: AuditHead): boolean {
  return one.sequence === other.sequence && one.hash === other.hash;
}

/** Anchors move forward alone. */
function contradicts(before: AuditHead, now: AuditHead): boolean {
  return now.sequence < before.sequence || (now.sequence === before.sequence && now.hash !== before.hash);
}

/** Of app nodes, which have no store to say it in. */
export function headsReported(reports: Pick<ReceivedReports, 'all'>): ReturnType<AnchoringParts['reported']> {
  return [...reports.all].flatMap(
    ([
      node,
      {
        report: { audit },
      },
    ]) => (audit === undefined ? [] : [{ node, ...audit }]),
  );
}
