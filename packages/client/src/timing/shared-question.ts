/**
 * One question at a time for however many ask.
 *
 * Invariant: an answer is to a question that was begun when it was asked for, or later. Whoever asks while one is under way
 * shares the next with all who do.
 */
export class SharedQuestion<T> {
  readonly #ask: () => Promise<T>;
  #underWay: Promise<T> | null = null;
  #next: Promise<T> | null = null;

  /** `ask` never rejects. */
  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  async answer(): Promise<T> {
    if (this.#underWay === null) return await this.#begin();
    this.#next ??= this.#underWay.then(() => {
      this.#next = null;
      return this.#begin();
    });
    return await this.#next;
  }

  async #begin(): Promise<T> {
    const asked = this.#ask();
    this.#underWay = asked;
    const answer = await asked;
    if (this.#underWay === asked) this.#underWay = null;
    return answer;
  }
}
