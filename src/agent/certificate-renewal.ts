/**
 * Renews the certificates of this node in time (core/rules/certificate-renewal.ts), puts them in place, and has everybody
 * take them up who uses them.
 *
 * Invariant: nothing waits for it, and its failures stop nothing but itself: until they end, the former certificates are good. Those
 * who sign are asked one after another, this node's own issuing key first.
 */
import type { CertificatePurpose, CertificateWish, IssuedCertificate } from '../core/certificates.ts';
import { inOneLine } from '../core/one-line.ts';
import { renewalDueMs, renewalRetryMs } from '../core/rules/certificate-renewal.ts';
import { isFromSystem } from '../errors/system-error.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { EventFacts } from '../events/catalogue.ts';
import type { CertificateFiles, OwnCertificate } from '../ports/certificates.ts';
import type { Clock } from '../ports/clock.ts';
import { toldOnce } from './told-once.ts';
import { takeTurns } from './turns.ts';

/** Who may sign: itself, or another node's agent. Throws `UnderstudyError`. */
export type CertificateSource = (wishes: readonly CertificateWish[]) => Promise<readonly IssuedCertificate[]>;

export interface RenewalParts {
  readonly files: CertificateFiles;
  readonly sources: () => readonly CertificateSource[];
  /** `null`: not known yet. */
  readonly declaredLifeMs: () => number | null;
  /** Files are new: everybody who read them shall read them again. */
  readonly renewed: () => Promise<void>;
  /** Does it rest on a root that is to be left? Then it is renewed at once. */
  readonly isOutdated: (purpose: CertificatePurpose) => boolean;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly draw: () => number;
  readonly signal: AbortSignal;
  readonly tell: (name: 'certificate.renewed' | 'certificate.not_renewed', facts: EventFacts) => void;
}

/** The declaration may have changed, or the clock. */
const longestSleepMs = 5_000;
/** Also where nothing is due, but somebody has not taken up what was renewed. */
const longestRetryMs = 60 * 60_000;
/** Somebody waits for it (`understudy ca rollover`). */
const outdatedRetryMs = 5_000;

export async function renewForEver(parts: RenewalParts): Promise<void> {
  const renewal = new Renewal(parts);
  const tell = toldOnce((failure) => parts.tell('certificate.not_renewed', { because: inOneLine(failure) }));
  await takeTurns(parts, longestSleepMs, async () => tell(await renewal.turn()));
}

class Renewal {
  readonly #parts: RenewalParts;
  readonly #draws = new Map<CertificatePurpose, number>();
  /** Wall clock. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  /** Renewed on disk, and not yet taken up by everybody. */
  #owed: readonly CertificatePurpose[] = [];
  #failure: string | null = null;

  constructor(parts: RenewalParts) {
    this.#parts = parts;
  }

  /** Answers what stands against it now. */
  async turn(): Promise<string | null> {
    const { clock, files, draw } = this.#parts;
    const nowMs = clock.wallClock().getTime();
    const due = files.purposes
      .flatMap((purpose) => files.look(purpose) ?? [])
      .filter((one) => this.#dueMs(one) <= nowMs || this.#parts.isOutdated(one.purpose));
    if (due.length === 0 && this.#owed.length === 0) return null;
    if (nowMs < this.#notBeforeMs) return this.#failure;
    try {
      if (due.length > 0) await this.#renew(due.map(({ purpose }) => purpose));
      await this.#hand();
      this.#failure = null;
    } catch (error) {
      // A disk that takes no key now may take one later.
      if (!isUnderstudyError(error) && !isFromSystem(error)) throw error;
      this.#failure = describeError(error);
      this.#notBeforeMs =
        nowMs +
        Math.min(
          longestRetryMs,
          ...due.map(({ life }) => renewalRetryMs(life, nowMs, draw())),
          ...(due.some(({ purpose }) => this.#parts.isOutdated(purpose)) ? [outdatedRetryMs] : []),
        );
    }
    return this.#failure;
  }

  async #renew(purposes: readonly CertificatePurpose[]): Promise<void> {
    const { files, sources, signal } = this.#parts;
    const issued = await askForCertificates(
      sources(),
      purposes.map((purpose) => files.wish(purpose)),
    );
    if (signal.aborted) return;
    await files.put(issued);
    for (const purpose of purposes) this.#draws.delete(purpose);
    this.#owed = [...new Set([...this.#owed, ...purposes])];
  }

  async #hand(): Promise<void> {
    const { renewed, signal, tell } = this.#parts;
    if (this.#owed.length === 0 || signal.aborted) return;
    await renewed();
    tell('certificate.renewed', { purposes: this.#owed.join(', ') });
    this.#owed = [];
  }

  /** A sealing certificate lives as long as its authority, whatever is declared for the others. */
  #dueMs({ purpose, life }: OwnCertificate): number {
    const chance = this.#draws.get(purpose) ?? this.#parts.draw();
    this.#draws.set(purpose, chance);
    return renewalDueMs(life, purpose === 'sealing' ? null : this.#parts.declaredLifeMs(), chance);
  }
}

/** One after the other, until one has given all. Throws what the last one said. */
export async function askForCertificates(
  sources: readonly CertificateSource[],
  wishes: readonly CertificateWish[],
): Promise<readonly IssuedCertificate[]> {
  let last = new UnderstudyError('AGENT_UNREACHABLE', 'no database node is known that could sign');
  for (const source of sources) {
    try {
      const issued = await source(wishes);
      if (wishes.every(({ purpose }) => issued.some((one) => one.purpose === purpose))) return issued;
      last = new UnderstudyError('ANSWER_INVALID', 'not all certificates came that were asked for');
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
      last = error;
    }
  }
  throw last;
}
