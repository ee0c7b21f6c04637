/**
 * From when on a condition is true, found by asking the database at some moments. What is not archived yet can't be asked.
 *
 * Invariant: what is said was seen. A change lies after a moment at which the condition was not true, and not later than one at which it was;
 * nothing is said of other changes, which a search that asks at few moments can't see. Asks no moment twice, moves the
 * instance backward only where moment-choice.ts finds it worth a restore, and ends after the given number of questions.
 */
import { chooseMoment, isForward, type MoveCosts } from './moment-choice.ts';

/** `null`: what it asks for did not exist. */
export type Answer = boolean | null;

/** Nobody can ask there: the archive ends at `archivedTo`, or earlier; `null`: somewhere before. */
export interface NotArchived {
  readonly archivedTo: number | null;
}

/** Moves the instance there, opening one where it has to, and asks. */
export type AskAt = (moment: number) => Promise<Answer | NotArchived>;

export interface Question {
  /** From 1. */
  readonly step: number;
  readonly moment: number;
  readonly answer: Answer | 'not-archived';
  readonly move: 'open' | 'forward';
  /** What is left afterwards: not yet true at, and true by; `null`: not known to become true. */
  readonly after: number | null;
  readonly by: number | null;
}

export interface SearchOptions {
  /** In ms since 1970, whole numbers. */
  readonly from: number;
  readonly to: number;
  /** How close the change is wanted, 1 ms or more. */
  readonly precisionMs: number;
  /** Questions at most. */
  readonly maxSteps: number;
  readonly costs: MoveCosts;
  /** What is known without moving anything: `to` is often the present, which answers for itself. */
  readonly known?: { readonly from?: Answer; readonly to?: Answer };
  /** Where an instance is open already. */
  readonly position?: number;
  readonly signal?: AbortSignal;
  readonly onQuestion?: (question: Question) => void;
}

export type Finding =
  /** Not true at `after`, true at `by`. Other changes may lie before and behind. */
  | {
      readonly found: 'change';
      readonly after: number;
      readonly by: number;
      /** What it was before: false, or nothing there to be asked. */
      readonly was: false | null;
      /** Whether both are as close as was wanted. */
      readonly isPrecise: boolean;
      /** It became false again later: known for certain. `null`: not looked at. */
      readonly isTrueAtEnd: boolean | null;
    }
  /** It began earlier. If it ended in between, the opposite condition finds that. */
  | { readonly found: 'true-at-start'; readonly isTrueAtEnd: boolean | null }
  /** Not true wherever it was asked, at the end neither; it may have been in between. `existed`: it could be asked at all. */
  | { readonly found: 'not-true'; readonly existed: boolean }
  /** The questions were used up, or the archive ends, before anything was found: not true at `after`. */
  | { readonly found: 'nothing-yet'; readonly after: number };

export type SearchResult = Finding & {
  readonly steps: number;
  readonly opened: number;
  /** Where the search met the end of the archive: what came later was not asked; else `null`. */
  readonly archivedTo: number | null;
};

class Search {
  readonly options: SearchOptions;
  readonly ask: AskAt;
  steps = 0;
  opened = 0;
  existed = false;
  after: number | null = null;
  was: false | null = null;
  by: number | null = null;
  /** Later nobody can ask. */
  limit = Number.POSITIVE_INFINITY;
  #position: number | null;

  constructor(ask: AskAt, options: SearchOptions) {
    this.ask = ask;
    this.options = options;
    this.#position = options.position ?? null;
  }

  get position(): number | null {
    return this.#position;
  }

  get isOver(): boolean {
    return this.steps >= this.options.maxSteps;
  }

  take(moment: number, answer: Answer): void {
    if (answer !== null) this.existed = true;
    if (answer === true) {
      this.by = moment;
      return;
    }
    this.after = moment;
    this.was = answer;
  }

  async question(moment: number): Promise<Answer | NotArchived> {
    const { from, onQuestion, signal } = this.options;
    signal?.throwIfAborted();
    const move = isForward(this.#position, moment) ? 'forward' : 'open';
    // Wherever a failed move leaves the instance, it is not there.
    this.#position = null;
    const answer = await this.ask(moment);
    this.steps += 1;
    if (move === 'open') this.opened += 1;
    const isMissing = typeof answer === 'object' && answer !== null;
    if (isMissing) {
      const [least, most] = [this.after ?? from, moment - 1];
      // Where nobody knows how far it goes, half of the way is given up.
      const archivedTo = answer.archivedTo ?? least + Math.floor((most - least) / 2);
      this.limit = Math.max(least, Math.min(archivedTo, most));
    } else {
      this.#position = moment;
      this.take(moment, answer);
    }
    const said = isMissing ? 'not-archived' : answer;
    onQuestion?.({ step: this.steps, moment, answer: said, move, after: this.after, by: this.by });
    return answer;
  }
}

/** Throws what asking throws, the signal's reason, and RangeError for a window that is none. */
export async function findMoment(ask: AskAt, options: SearchOptions): Promise<SearchResult> {
  const { from, known = {}, maxSteps, precisionMs, to } = options;
  if (!(from < to) || precisionMs < 1 || maxSteps < 1) {
    throw new RangeError(`nothing to search from ${from} to ${to} by ${precisionMs} ms in ${maxSteps} steps`);
  }
  const search = new Search(ask, options);
  const finding = await searchBetween(search, known);
  const archivedTo = Number.isFinite(search.limit) ? search.limit : null;
  return { ...finding, steps: search.steps, opened: search.opened, archivedTo };
}

async function searchBetween(search: Search, known: NonNullable<SearchOptions['known']>): Promise<Finding> {
  const { from, to } = search.options;
  const atEnd = known.to === undefined ? null : known.to === true;
  if (known.to === true) search.take(to, true);
  else if (known.to === false) search.existed = true;
  const first = known.from === undefined ? await search.question(from) : known.from;
  if (typeof first === 'object' && first !== null) return nothingYet(from);
  search.take(from, first);
  if (first === true) return { found: 'true-at-start', isTrueAtEnd: atEnd };
  // Between two noes a yes could be anywhere, or nowhere.
  if (atEnd === false) return { found: 'not-true', existed: search.existed };
  await narrow(search, from);
  const { after, by } = search;
  if (by === null) return after === to ? { found: 'not-true', existed: search.existed } : nothingYet(after ?? from);
  const last = after ?? from;
  const isTrueAtEnd = by === to ? true : atEnd;
  return {
    found: 'change',
    after: last,
    by,
    was: search.was,
    isPrecise: by - last <= search.options.precisionMs,
    isTrueAtEnd,
  };
}

/** While nothing was true yet, the end of the window is taken to be; it is asked last. */
async function narrow(search: Search, from: number): Promise<void> {
  const { costs, precisionMs, to } = search.options;
  while (!search.isOver) {
    const after = search.after ?? from;
    const by = search.by ?? to;
    if (search.limit < by) {
      // All that can be known of what comes later is what it says itself.
      if (after >= search.limit) return;
      await search.question(search.limit);
    } else if (by - after > precisionMs) {
      // The end itself is still to be asked, unless something is true before.
      const stepsLeft = search.options.maxSteps - search.steps - (search.by === null ? 1 : 0);
      const { position } = search;
      await search.question(chooseMoment({ after, by, precisionMs, position, stepsLeft }, costs));
    } else if (search.by === null && after < to) {
      await search.question(to);
    } else {
      return;
    }
  }
}

function nothingYet(after: number): Finding {
  return { found: 'nothing-yet', after };
}
