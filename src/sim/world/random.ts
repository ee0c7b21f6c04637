/**
 * Seeded randomness. The same seed gives the same numbers on every machine and version of Node.
 *
 * Each purpose draws from a stream of its own (`fork`), so that leaving out one fault does not change what all the
 * others do: that is what makes a failing seed shrink.
 *
 * The generator is sfc32 (C. Doty-Humphrey, PractRand); its state comes from the seed's text by FNV-1a.
 */
export class Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string) {
    this.#seed = seed;
    this.#a = hashText(`a ${seed}`);
    this.#b = hashText(`b ${seed}`);
    this.#c = hashText(`c ${seed}`);
    for (let round = 0; round < 12; round += 1) this.next();
  }

  fork(purpose: string): Random {
    return new Random(`${this.#seed}/${purpose}`);
  }

  /** At least 0, below 1. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return (sum >>> 0) / 4294967296;
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.next();
  }

  /** Both ends included. */
  integer(least: number, most: number): number {
    return least + Math.floor((most - least + 1) * this.next());
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Small values often, large ones seldom; between both ends. */
  skewed(least: number, most: number): number {
    return least * (most / least) ** this.next();
  }

  /** Throws `RangeError` for an empty list. */
  pick<T>(list: readonly T[]): T {
    const item = list[Math.floor(list.length * this.next())];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }
}

/** FNV-1a over UTF-16 units, 32 bits. */
export function hashText(text: string, from = 0x811c9dc5): number {
  let hash = from;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
