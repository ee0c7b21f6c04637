/**
 * An agent's own audit log. It never holds the agent up.
 *
 * Lines are chained when they are recorded, written in order right after, and synced within a second: whoever orders
 * something does not wait for the disk. So a process that is killed loses what was not yet written, milliseconds of it; a
 * host that loses power what was not synced; and neither loses a line that was anchored, since only what is synced is. While
 * the disk is full or hangs, lines wait here, up to a limit; what is beyond it is counted, and told in a line later.
 * The files are opened for the first line.
 */
import type { AnchoredHead, AuditHead } from '../core/audit-anchor.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { AuditKind } from './catalogue.ts';
import type { AuditDirectory, Found } from './directory.ts';
import type { AuditFile, AuditPiece } from './files.ts';
import { type AuditFacts, type AuditWho, beginning, chain } from './line.ts';

/** What becomes of it that somebody should know. */
export interface AuditNews {
  /** Told once until lines can be written again. */
  unwritable(because: string): void;
  writable(missed: number): void;
  healed(bytes: number): void;
}

export interface AuditLogParts {
  readonly node: string;
  readonly directory: AuditDirectory;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly news: AuditNews;
  readonly waitingAtMost?: number;
}

export interface AuditState {
  readonly files: readonly AuditFile[];
  /** The last line that is safe from a loss of power. */
  readonly head: AuditHead;
  /** Lines that wait to be written, and those that were lost for want of room. */
  readonly waiting: number;
  readonly missed: number;
  readonly trouble: string | null;
}

interface Waiting {
  readonly text: string;
  readonly head: AuditHead;
}

const syncAfterMs = 1_000;
const retryAfterMs = 2_000;
const usuallyWaitingAtMost = 1_000;
const batchLines = 100;
/** What other logs say of logs is no news to them. */
const isAboutLogs = (kind: AuditKind): boolean => kind === 'anchor.seen';

export class AuditLog {
  readonly #parts: AuditLogParts;
  #isOpen = false;
  #openedAtMs: number | null = null;
  #head: AuditHead = beginning;
  #lastAtMs = 0;
  #told = 0;
  #written: AuditHead = beginning;
  #durable: AuditHead = beginning;
  readonly #waiting: Waiting[] = [];
  #missed = 0;
  #trouble: string | null = null;
  #surplus: { readonly file: string; readonly line: number } | null = null;
  #writing: Promise<void> | null = null;
  #syncing: Promise<void> | null = null;
  #isClosing = false;

  constructor(parts: AuditLogParts) {
    this.#parts = parts;
  }

  /** What is synced; `null` before the first line is. */
  get anchorable(): AnchoredHead | null {
    if (this.#durable.sequence === 0) return null;
    return { ...this.#durable, told: Math.min(this.#told, this.#durable.sequence) };
  }

  state(): AuditState {
    const files = this.#isOpen ? this.#parts.directory.files() : [];
    return { files, head: this.#durable, waiting: this.#waiting.length, missed: this.#missed, trouble: this.#trouble };
  }

  /** Answers the line's number; `null`: there was no room for it, and it is counted. */
  record(kind: AuditKind, who: AuditWho | null, facts: AuditFacts): number | null {
    const { clock, waitingAtMost = usuallyWaitingAtMost } = this.#parts;
    if (!this.#tryToOpen() || this.#waiting.length >= waitingAtMost) {
      this.#missed += 1;
      return null;
    }
    const now = clock.wallClock();
    const backMs = this.#lastAtMs - now.getTime();
    this.#lastAtMs = now.getTime();
    if (backMs > 0) this.#add('clock.set_back', null, { byMs: backMs }, now);
    return this.#add(kind, who, facts, now);
  }

  async read(file: string, offset: number): Promise<AuditPiece> {
    return await this.#parts.directory.read(file, offset);
  }

  /** Does that line stand in the files? */
  async holds({ sequence, hash }: AuditHead): Promise<boolean> {
    if (sequence === this.#written.sequence) return hash === this.#written.hash;
    return sequence < this.#written.sequence && (await this.#parts.directory.hashAt(sequence)) === hash;
  }

  /** Writes what waits, as far as the disk takes it at once. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#writing;
    await this.#syncing;
    if (this.#isOpen && this.#trouble === null) await this.#sync();
    this.#parts.directory.close();
    this.#isOpen = false;
  }

  #add(kind: AuditKind, who: AuditWho | null, facts: AuditFacts, now: Date): number {
    const { text, head } = chain(this.#head, { at: now.toISOString(), node: this.#parts.node, kind, who, facts });
    this.#head = head;
    if (!isAboutLogs(kind)) this.#told = head.sequence;
    this.#waiting.push({ text, head });
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null;
    });
    return head.sequence;
  }

  #tryToOpen(): boolean {
    if (this.#isOpen) return true;
    const { clock, directory, news } = this.#parts;
    const nowMs = clock.boottimeMs();
    if (this.#isClosing || (this.#openedAtMs !== null && nowMs - this.#openedAtMs < retryAfterMs)) return false;
    this.#openedAtMs = nowMs;
    let found: Found;
    try {
      found = directory.open();
    } catch (error) {
      this.#failed(error);
      return false;
    }
    this.#isOpen = true;
    const { head, lastAt, torn } = found;
    this.#head = head;
    this.#written = head;
    this.#durable = head;
    this.#told = head.sequence;
    this.#lastAtMs = lastAt === null ? 0 : Date.parse(lastAt);
    if (head.sequence === 0) this.record('log.began', null, {});
    if (torn !== null) {
      this.record('log.healed', null, torn);
      news.healed(torn.bytes);
    }
    return true;
  }

  async #writeAll(): Promise<void> {
    const { clock, directory, signal } = this.#parts;
    // Lines that come in one go are one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, batchLines);
      const [first] = batch;
      const last = batch.at(-1);
      if (first === undefined || last === undefined) return;
      try {
        if (directory.isFull || !directory.isInPlace()) await directory.begin(first.head.sequence);
        await directory.append(batch.map(({ text }) => `${text}\n`).join(''));
      } catch (error) {
        this.#failed(error);
        if (this.#isClosing || signal.aborted) return;
        await clock.sleep(retryAfterMs, signal).catch(() => undefined);
        continue;
      }
      this.#waiting.splice(0, batch.length);
      this.#written = last.head;
      this.#succeeded();
      this.#syncSoon();
    }
  }

  #failed(error: unknown): void {
    const because = describeError(error);
    if (this.#trouble === null) this.#parts.news.unwritable(because);
    this.#trouble = because;
  }

  #succeeded(): void {
    const because = this.#trouble;
    const count = this.#missed;
    this.#trouble = null;
    this.#missed = 0;
    if (count > 0)
      this.#add('log.gap', null, { count, because: because ?? 'too many at once' }, this.#parts.clock.wallClock());
    if (because !== null) this.#parts.news.writable(count);
    this.#sayWhatIsSurplus();
  }

  /** The oldest file goes only after a line that says so is safe. */
  #sayWhatIsSurplus(): void {
    if (this.#surplus !== null) return;
    const surplus = this.#parts.directory.surplus();
    if (surplus === null) return;
    const { file, kept, through } = surplus;
    const facts = { file, through: through.sequence, hash: through.hash, kept };
    this.#surplus = { file, line: this.#add('log.pruned', null, facts, this.#parts.clock.wallClock()) };
  }

  #syncSoon(): void {
    const { clock, signal } = this.#parts;
    this.#syncing ??= (this.#isClosing ? Promise.resolve() : clock.sleep(syncAfterMs, signal))
      .catch(() => undefined)
      .then(() => this.#sync())
      .finally(() => {
        this.#syncing = null;
        if (this.#durable.sequence < this.#written.sequence && !this.#isClosing) this.#syncSoon();
      });
  }

  async #sync(): Promise<void> {
    const written = this.#written;
    try {
      await this.#parts.directory.sync();
      this.#durable = written;
      if (this.#trouble !== null && this.#waiting.length === 0) this.#succeeded();
      if (this.#surplus === null || this.#surplus.line > written.sequence) return;
      const { file } = this.#surplus;
      this.#surplus = null;
      await this.#parts.directory.remove(file);
    } catch (error) {
      this.#failed(error);
    }
  }
}
