/**
 * Counts what was thrown in and what came back, and keeps what may not happen with what is needed to see it again.
 *
 * Invariant: every input is drawn from a stream of its own, named by seed, surface and number, so that any one of them can be
 * played alone.
 */
import { Random } from '../../src/sim/world/random.ts';

export interface Fault {
  readonly surface: string;
  readonly number: number;
  readonly because: string;
  /** The input's beginning. */
  readonly input: string;
}

export interface Tally {
  readonly surface: string;
  readonly inputs: number;
  /** How many were answered how. */
  readonly answers: Readonly<Record<string, number>>;
  readonly faults: readonly Fault[];
}

export interface Span {
  readonly seed: string;
  readonly from: number;
  readonly count: number;
}

const faultsShown = 20;
const inputShown = 500;

export class Account {
  readonly #surface: string;
  readonly #answers: Record<string, number> = {};
  readonly #faults: Fault[] = [];
  #inputs = 0;

  constructor(surface: string) {
    this.#surface = surface;
  }

  note(answer: string): void {
    this.#inputs += 1;
    this.#answers[answer] = (this.#answers[answer] ?? 0) + 1;
  }

  fault(number: number, because: string, input: string): void {
    this.note('fault');
    if (this.#faults.length < faultsShown)
      this.#faults.push({ surface: this.#surface, number, because, input: input.slice(0, inputShown) });
  }

  get tally(): Tally {
    return { surface: this.#surface, inputs: this.#inputs, answers: this.#answers, faults: this.#faults };
  }
}

export function* draws(surface: string, { seed, from, count }: Span): Generator<readonly [number, Random]> {
  for (let number = from; number < from + count; number += 1)
    yield [number, new Random(`${seed}/${surface}/${number}`)];
}
