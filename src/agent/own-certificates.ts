/**
 * Keeps the own certificates of this node as they are declared: asks for them, renews them in time, has them taken up, and
 * takes away what is declared no more.
 *
 * Invariant: nothing waits for it, and one certificate's failure is not another's. Until it is known what this node shall have,
 * nothing comes and nothing goes. A hook that failed is run again, and a certificate that nobody has taken up stays owed over
 * a new start of the agent.
 */
import type { DoctorFinding } from '../api/contract/looks.ts';
import { inOneLine } from '../core/one-line.ts';
import { type CertificateLife, renewalDueMs, renewalRetryMs } from '../core/rules/certificate-renewal.ts';
import type { OwnCertificateSpec } from '../core/spec.ts';
import { isFromSystem } from '../errors/system-error.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { EventFacts } from '../events/catalogue.ts';
import type { Clock } from '../ports/clock.ts';
import type { OwnCertificateFiles } from '../ports/own-certificates.ts';
import { askForCertificates, type CertificateSource } from './certificate-renewal.ts';
import { takeTurns } from './turns.ts';

const news = {
  place: 'certificate.not_placed',
  'take up': 'certificate.reload_failed',
  withdraw: 'certificate.not_withdrawn',
} as const;
type Work = keyof typeof news;
type News = 'certificate.placed' | 'certificate.withdrawn' | (typeof news)[Work];

export interface OwnCertificateParts {
  readonly files: OwnCertificateFiles;
  /** `null`: not known yet. */
  readonly wanted: () => readonly OwnCertificateSpec[] | null;
  readonly sources: () => readonly CertificateSource[];
  /** Does it rest on a root that is to be left? */
  readonly isOutdated: (wanted: OwnCertificateSpec) => boolean;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly draw: () => number;
  readonly signal: AbortSignal;
  readonly tell: (name: News, facts: EventFacts) => void;
}

/** The declaration may have changed, or the clock. */
const lookEveryMs = 2_000;
const againAtFirstMs = 5_000;
const againAtMostMs = 5 * 60_000;

interface Trouble {
  readonly name: string;
  /** What was wanted: of another wish nothing has failed yet. */
  readonly wish: string;
  readonly because: string;
  readonly failures: number;
  /** Wall clock. */
  readonly againAtMs: number;
}

interface Attempt {
  readonly work: Work;
  readonly name: string;
  readonly wish: string;
  /** Of the certificate that is there; `null`: there is none. */
  readonly life: CertificateLife | null;
}

export class OwnCertificates {
  readonly #parts: OwnCertificateParts;
  /** By work and name. */
  readonly #troubles = new Map<string, Trouble>();
  /** By name: when one of that name is renewed, within what is allowed. */
  readonly #draws = new Map<string, number>();

  constructor(parts: OwnCertificateParts) {
    this.#parts = parts;
  }

  /** In one line; `null`: all is well. */
  get trouble(): string | null {
    const [first] = this.#troubles.values();
    return first === undefined ? null : `certificate ${first.name}: ${first.because}`;
  }

  findings(): readonly DoctorFinding[] {
    const check = 'own certificates';
    const hint = 'mend what it says; it is tried again by itself';
    return [...this.#troubles.values()].map(({ name, because }) => ({
      ...{ check, verdict: 'failure', text: `${name}: ${because}`, hint },
    }));
  }

  async runForEver(): Promise<void> {
    await takeTurns(this.#parts, lookEveryMs, () => this.turn());
  }

  async turn(): Promise<void> {
    const { files, signal } = this.#parts;
    const wanted = this.#parts.wanted();
    if (wanted === null) return;
    const names = new Set(wanted.map(({ name }) => name));
    this.#forgetOthers(names);
    for (const name of files.placed()) {
      if (!names.has(name))
        await this.#attempt({ work: 'withdraw', name, wish: '', life: null }, () => this.#remove(name));
    }
    for (const one of wanted) if (!signal.aborted) await this.#keep(one);
  }

  async #keep(wanted: OwnCertificateSpec): Promise<void> {
    const { files, tell } = this.#parts;
    const { name } = wanted;
    const wish = JSON.stringify(wanted);
    const found = files.look(wanted);
    if (found === null || this.#isDue(wanted, found.life) || this.#parts.isOutdated(wanted)) {
      await this.#attempt({ work: 'place', name, wish, life: found?.life ?? null }, async () => {
        await this.#place(wanted);
        this.#draws.delete(name);
        tell('certificate.placed', { certificate: name });
      });
    }
    const placed = files.look(wanted);
    if (placed === null || placed.isTakenUp) return;
    await this.#attempt({ work: 'take up', name, wish, life: placed.life }, () => files.takeUp(wanted));
  }

  async #place(wanted: OwnCertificateSpec): Promise<void> {
    const { files, signal, sources } = this.#parts;
    const wish = { purpose: 'own', name: wanted.name, request: files.request(wanted) } as const;
    const issued = await askForCertificates(sources(), [wish]);
    signal.throwIfAborted();
    for (const { chain } of issued.filter(({ purpose }) => purpose === 'own')) await files.put(wanted, chain);
  }

  #remove(name: string): void {
    this.#parts.files.remove(name);
    this.#parts.tell('certificate.withdrawn', { certificate: name });
  }

  #isDue({ lifeMs, name }: OwnCertificateSpec, life: CertificateLife): boolean {
    const chance = this.#draws.get(name) ?? this.#parts.draw();
    this.#draws.set(name, chance);
    return renewalDueMs(life, lifeMs, chance) <= this.#nowMs();
  }

  async #attempt(attempt: Attempt, act: () => Promise<void> | void): Promise<void> {
    const { name, wish, work } = attempt;
    const key = `${work} ${name}`;
    const known = this.#troubles.get(key);
    const before = known?.wish === wish ? known : undefined;
    if (before !== undefined && this.#nowMs() < before.againAtMs) return;
    try {
      await act();
      this.#troubles.delete(key);
    } catch (error) {
      // The agent ends; or it is a defect.
      if (this.#parts.signal.aborted) return;
      if (!isUnderstudyError(error) && !isFromSystem(error)) throw error;
      const because = inOneLine(`${describeError(error)}${isUnderstudyError(error) ? ` (${error.hint})` : ''}`);
      const failures = (before?.failures ?? 0) + 1;
      this.#troubles.set(key, { name, wish, because, failures, againAtMs: this.#againAtMs(attempt, failures) });
      if (because !== before?.because) this.#parts.tell(news[work], { certificate: name, because });
    }
  }

  /** Later each time, but soon enough for one that ends. */
  #againAtMs({ life, work }: Attempt, failures: number): number {
    const nowMs = this.#nowMs();
    const pauseMs = Math.min(againAtMostMs, againAtFirstMs * 2 ** (failures - 1));
    const limitMs = life === null || work !== 'place' ? pauseMs : renewalRetryMs(life, nowMs, this.#parts.draw());
    return nowMs + Math.min(pauseMs, limitMs);
  }

  #forgetOthers(names: ReadonlySet<string>): void {
    for (const [key, { name }] of this.#troubles) {
      if (!names.has(name) && !key.startsWith('withdraw ')) this.#troubles.delete(key);
      if (names.has(name) && key.startsWith('withdraw ')) this.#troubles.delete(key);
    }
    for (const name of this.#draws.keys()) if (!names.has(name)) this.#draws.delete(name);
  }

  #nowMs(): number {
    return this.#parts.clock.wallClock().getTime();
  }
}
