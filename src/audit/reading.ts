/**
 * Reads one node's log line by line, and says what is wrong with it by itself. Pure.
 *
 * Each line is held against the one before; after a line that does not fit, it goes on with that line, so that one change is
 * told once, where it is. What was cut off the end, or written anew as a whole, fits by itself: see compare.ts.
 */
import type { AuditHead } from '../core/audit-anchor.ts';
import { firstSequenceOf } from './files.ts';
import { type AuditLine, beginning, hashOf, parseLine } from './line.ts';

export type FindingKind = 'changed' | 'cut' | 'removed' | 'reordered' | 'replaced' | 'missing' | 'clock' | 'disputed';

export interface Finding {
  readonly what: FindingKind;
  readonly node: string;
  readonly file: string | null;
  /** Of the file, from 1. */
  readonly line: number | null;
  readonly sequence: number | null;
  readonly text: string;
}

/** What a line says of how far another node's log was. */
export interface SeenHead extends AuditHead {
  readonly of: string;
  /** The log that says so. */
  readonly by: string;
  /** When, by the clock of that one. */
  readonly at: string;
}

/** What a line says of another node's log: somebody accepted it as it was. */
export interface AcceptedHead extends AuditHead {
  readonly of: string;
  readonly by: string;
  /** When, by the clock of `by`. */
  readonly at: string;
}

export interface ChainReading {
  readonly node: string;
  readonly findings: readonly Finding[];
  readonly lines: number;
  readonly first: number | null;
  readonly head: AuditHead;
  /** By sequence number. */
  readonly hashes: ReadonlyMap<number, string>;
  readonly seen: readonly SeenHead[];
  readonly accepted: readonly AcceptedHead[];
  /** Honest troubles that it tells of itself. */
  readonly healed: number;
  readonly missed: number;
  readonly clockSetBack: number;
}

/**
 * Files that the log of any version keeps before it may remove one: it may say a higher limit of itself, never a lower one, or
 * whoever writes it anew could remove what he likes. Stays what it is when the limit of new logs is raised.
 */
const leastFilesKept = 16;

interface Pruned extends AuditHead {
  readonly atLine: number;
  /** The limit that the log had then. */
  readonly filesKept: number;
}

interface Place {
  readonly file: string;
  readonly line: number;
}

export class ChainReader {
  readonly #node: string;
  readonly #filesKept: number;
  readonly #findings: Finding[] = [];
  readonly #hashes = new Map<number, string>();
  readonly #seen: SeenHead[] = [];
  readonly #accepted: AcceptedHead[] = [];
  readonly #pruned: Pruned[] = [];
  readonly #firsts: number[] = [];
  #head: AuditHead = beginning;
  #start: { readonly line: AuditLine; readonly place: Place } | null = null;
  #last: AuditLine | null = null;
  #place: Place | null = null;
  #lines = 0;
  #healed = 0;
  #missed = 0;
  #clockSetBack = 0;

  constructor(node: string, filesKept: number = leastFilesKept) {
    this.#node = node;
    this.#filesKept = filesKept;
  }

  /** Lines in the order of the files' names, and of the lines in them; without the line's end. */
  take(file: string, written: string): void {
    this.#lines += 1;
    const place = { file, line: this.#place?.file === file ? this.#place.line + 1 : 1 };
    this.#place = place;
    const line = parseLine(written);
    const expected = this.#head.sequence + 1;
    if (line === null) {
      this.#find('changed', place, expected, 'this is no line of an audit log');
      this.#head = { sequence: expected, hash: hashOf(written) };
      return;
    }
    if (place.line === 1) this.#beginFile(place, line);
    if (this.#start === null) this.#start = { line, place };
    else this.#compare(place, line, expected);
    if (line.node !== this.#node) this.#find('replaced', place, line.sequence, `it is a line of ${line.node}`);
    this.#checkClock(place, line);
    this.#note(line);
    this.#last = line;
    this.#head = { sequence: line.sequence, hash: hashOf(written) };
    this.#hashes.set(line.sequence, this.#head.hash);
  }

  end(): ChainReading {
    if (this.#start !== null) this.#checkStart(this.#start.line, this.#start.place);
    return {
      node: this.#node,
      findings: this.#findings,
      lines: this.#lines,
      first: this.#start?.line.sequence ?? null,
      head: this.#head,
      hashes: this.#hashes,
      seen: this.#seen,
      accepted: this.#accepted,
      healed: this.#healed,
      missed: this.#missed,
      clockSetBack: this.#clockSetBack,
    };
  }

  #beginFile(place: Place, line: AuditLine): void {
    const named = firstSequenceOf(place.file);
    this.#firsts.push(line.sequence);
    if (named !== line.sequence)
      this.#find(
        'reordered',
        place,
        line.sequence,
        `the file begins with line ${line.sequence}, and is named for ${named}`,
      );
  }

  #compare(place: Place, line: AuditLine, expected: number): void {
    if (line.sequence > expected) {
      const gap =
        line.sequence - expected === 1 ? `line ${expected} is` : `lines ${expected} to ${line.sequence - 1} are`;
      this.#find('removed', place, line.sequence, `${gap} missing before it`);
    } else if (line.sequence < expected) {
      this.#find('reordered', place, line.sequence, `line ${expected} was to stand here`);
    } else if (line.previous !== this.#head.hash) {
      this.#find('changed', place, line.sequence, `line ${expected - 1} is not the one that was written before it`);
    }
  }

  #checkClock(place: Place, line: AuditLine): void {
    if (line.kind === 'clock.set_back') {
      this.#clockSetBack += 1;
      return;
    }
    if (this.#last !== null && line.at < this.#last.at)
      this.#find('clock', place, line.sequence, `it is of ${line.at}, and the line before it of ${this.#last.at}`);
  }

  #note({ at, facts, kind, sequence }: AuditLine): void {
    if (kind === 'log.healed') this.#healed += 1;
    if (kind === 'log.gap' && typeof facts.count === 'number') this.#missed += facts.count;
    if (kind === 'log.pruned' && typeof facts.through === 'number' && typeof facts.hash === 'string')
      this.#pruned.push({
        ...{ sequence: facts.through, hash: facts.hash, atLine: sequence },
        filesKept: Math.max(this.#filesKept, typeof facts.kept === 'number' ? facts.kept : 0),
      });
    if (typeof facts.of !== 'string' || typeof facts.sequence !== 'number' || typeof facts.hash !== 'string') return;
    const said = { of: facts.of, sequence: facts.sequence, hash: facts.hash, by: this.#node, at };
    if (kind === 'anchor.seen') this.#seen.push(said);
    if (kind === 'log.accepted') this.#accepted.push(said);
  }

  /** The first line that there is must be the first of all, or follow what the log itself says it removed for room. */
  #checkStart(line: AuditLine, place: Place): void {
    const before = line.sequence - 1;
    if (before === 0) {
      if (line.previous !== beginning.hash) this.#find('changed', place, 1, 'it follows a line that never was');
      return;
    }
    const pruned = this.#pruned.find((one) => one.sequence === before && one.hash === line.previous);
    if (pruned === undefined) {
      this.#find(
        'removed',
        place,
        line.sequence,
        `lines 1 to ${before} are missing, and nothing says that they were removed`,
      );
      return;
    }
    const kept = this.#firsts.filter((first) => first <= pruned.atLine).length;
    if (kept < pruned.filesKept)
      this.#find(
        'removed',
        place,
        line.sequence,
        `lines up to ${before} were removed although there was room for them`,
      );
  }

  #find(what: FindingKind, { file, line }: Place, sequence: number, text: string): void {
    this.#findings.push({ what, node: this.#node, file, line, sequence, text });
  }
}
