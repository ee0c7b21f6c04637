import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MoveCosts } from './moment-choice.ts';
import { type Answer, findMoment, type Question, type SearchOptions } from './moment-search.ts';

const minute = 60_000;

/** What moving really costs here: the same model as the search is told. */
class PlayedPast {
  readonly answerAt: (moment: number) => Answer;
  readonly costs: MoveCosts;
  position: number | null = null;
  spentMs = 0;
  opened = 0;
  asked: number[] = [];

  constructor(answerAt: (moment: number) => Answer, costs: MoveCosts) {
    this.answerAt = answerAt;
    this.costs = costs;
  }

  readonly ask = async (moment: number): Promise<Answer> => {
    const { position } = this;
    if (position !== null && moment >= position) this.spentMs += this.costs.forwardMs(position, moment);
    else {
      this.opened += 1;
      this.spentMs += this.costs.openMs(moment);
    }
    this.position = moment;
    this.asked.push(moment);
    return this.answerAt(moment);
  };
}

/** A restart for each move, and WAL replayed at a hundred times the speed at which it was written. */
const dear = (openMs: number): MoveCosts => ({
  openMs: () => openMs,
  forwardMs: (from, to) => 1_000 + (to - from) / 100,
});

const becomesTrue = (at: number) => (moment: number) => moment >= at;

/** The same questions whatever they cost. */
async function halve(past: PlayedPast, from: number, to: number, precisionMs: number): Promise<void> {
  let [after, by] = [from, to];
  await past.ask(from);
  while (by - after > precisionMs) {
    const middle = after + Math.floor((by - after) / 2);
    if ((await past.ask(middle)) === true) by = middle;
    else after = middle;
  }
}

const options = (more: Partial<SearchOptions> = {}): SearchOptions => ({
  from: 0,
  to: 24 * 60 * minute,
  precisionMs: 1_000,
  maxSteps: 1_000,
  costs: dear(5 * minute),
  ...more,
});

describe('the moment from which a condition is true', () => {
  it('is found as closely as wanted, whatever moves cost and wherever it is', async () => {
    const search = fc.record({
      from: fc.integer({ min: 0, max: 10_000 }),
      length: fc.integer({ min: 1, max: 10_000_000 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      precisionMs: fc.integer({ min: 1, max: 5_000 }),
      openMs: fc.integer({ min: 0, max: 10_000_000 }),
      perMs: fc.double({ min: 0, max: 10, noNaN: true }),
      isEndKnown: fc.boolean(),
      isMissingBefore: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        search,
        async ({ from, length, share, precisionMs, openMs, perMs, isEndKnown, isMissingBefore }) => {
          const to = from + length;
          const at = Math.max(from + 1, Math.round(from + share * length));
          const costs = { openMs: () => openMs, forwardMs: (a: number, b: number) => 50 + (b - a) * perMs };
          const before = isMissingBefore ? null : false;
          const past = new PlayedPast((moment) => (moment >= at ? true : before), costs);
          const result = await findMoment(past.ask, {
            ...{ from, to, precisionMs, costs, maxSteps: 1_000 },
            ...(isEndKnown ? { known: { to: true } } : {}),
          });
          expect(result).toMatchObject({ found: 'change', isPrecise: true, was: before, opened: past.opened });
          if (result.found !== 'change') return;
          expect(result.after).toBeLessThan(at);
          expect(result.by).toBeGreaterThanOrEqual(at);
          expect(result.by - result.after).toBeLessThanOrEqual(precisionMs);
          expect(new Set(past.asked).size).toBe(past.asked.length);
          expect(result.steps).toBe(past.asked.length);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('costs much less than halving where a restore is dear, and no more where it is not', async () => {
    const spent = async (openMs: number) => {
      const sums = { search: 0, halving: 0, opened: 0, openedHalving: 0 };
      const { from, precisionMs, to } = options();
      for (let run = 0; run < 200; run += 1) {
        const at = Math.round(from + ((run + 0.5) / 200) * (to - from));
        const mine = new PlayedPast(becomesTrue(at), dear(openMs));
        await findMoment(mine.ask, options({ costs: mine.costs, known: { to: true } }));
        const theirs = new PlayedPast(becomesTrue(at), dear(openMs));
        await halve(theirs, from, to, precisionMs);
        sums.search += mine.spentMs;
        sums.halving += theirs.spentMs;
        sums.opened += mine.opened;
        sums.openedHalving += theirs.opened;
      }
      return { ratio: sums.search / sums.halving, opened: sums.opened / sums.openedHalving };
    };
    const asDearAsMinutes = await spent(20 * minute);
    expect(asDearAsMinutes.ratio).toBeLessThan(0.75);
    expect(asDearAsMinutes.opened).toBeLessThan(0.5);
    expect((await spent(2_000)).ratio).toBeLessThan(1.05);
  });

  it('asks no more than it may, and says how far it came', async () => {
    const { from, precisionMs, to } = options();
    const enough = Math.ceil(Math.log2((to - from) / precisionMs)) + 2;
    for (let at = minute; at < to; at += 50 * minute) {
      const tight = new PlayedPast(becomesTrue(at), dear(60 * minute));
      const found = await findMoment(tight.ask, options({ costs: tight.costs, maxSteps: enough, known: { to: true } }));
      expect(found).toMatchObject({ found: 'change', isPrecise: true });
    }
    const at = 7 * 60 * minute;
    const past = new PlayedPast(becomesTrue(at), dear(minute));
    const known = await findMoment(past.ask, options({ maxSteps: 6, known: { to: true } }));
    expect(known).toMatchObject({ found: 'change', isPrecise: false, steps: 6 });
    const never = new PlayedPast(() => false, dear(minute));
    expect(await findMoment(never.ask, options({ maxSteps: 3 }))).toMatchObject({ found: 'nothing-yet', steps: 3 });
  });

  it('says what it is at both ends, and asks nothing that is known', async () => {
    const always = new PlayedPast(() => true, dear(minute));
    expect(await findMoment(always.ask, options())).toEqual({
      ...{ found: 'true-at-start', isTrueAtEnd: null },
      ...{ steps: 1, opened: 1, archivedTo: null },
    });
    const known = { from: true, to: false } as const;
    expect(await findMoment(always.ask, options({ known }))).toMatchObject({
      found: 'true-at-start',
      isTrueAtEnd: false,
      steps: 0,
    });
    expect(await findMoment(always.ask, options({ known: { from: false, to: null } }))).toEqual({
      ...{ found: 'not-true', existed: true },
      ...{ steps: 0, opened: 0, archivedTo: null },
    });

    // Nobody knows the end: it goes there once, and never back.
    const never = new PlayedPast(() => false, dear(minute));
    expect(await findMoment(never.ask, options())).toMatchObject({ found: 'not-true', existed: true, opened: 1 });
    expect(never.asked.at(-1)).toBe(options().to);
    const misspelt = new PlayedPast(() => null, dear(minute));
    expect(await findMoment(misspelt.ask, options())).toMatchObject({ found: 'not-true', existed: false });
  });

  it('finds one change of several', async () => {
    const changes = fc.uniqueArray(fc.integer({ min: 1, max: 99_999 }), { minLength: 3, maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(changes, async (times) => {
        const sorted = [...times].sort((a, b) => a - b);
        const answerAt = (moment: number): boolean => sorted.filter((time) => time <= moment).length % 2 === 1;
        const past = new PlayedPast(answerAt, dear(30_000));
        const to = 100_000;
        const result = await findMoment(past.ask, options({ to, precisionMs: 1, known: { to: answerAt(to) } }));
        if (!answerAt(to)) {
          expect(result.found).toBe('not-true');
          return;
        }
        expect(result).toMatchObject({ found: 'change', isPrecise: true });
        if (result.found === 'change') expect([answerAt(result.after), answerAt(result.by)]).toEqual([false, true]);
      }),
      { numRuns: 300 },
    );
  });

  it('asks for nothing that is not archived twice, and says what it could not see', async () => {
    const moments = fc.integer({ min: 1, max: 100_000 });
    await fc.assert(
      fc.asyncProperty(moments, moments, fc.boolean(), async (change, archivedTo, isKnown) => {
        const past = new PlayedPast(becomesTrue(change), dear(30_000));
        let refused = 0;
        const ask = async (moment: number) => {
          if (moment <= archivedTo) return await past.ask(moment);
          refused += 1;
          return { archivedTo: isKnown ? archivedTo : null };
        };
        const to = 100_001;
        const result = await findMoment(ask, options({ to, precisionMs: 1, known: { to: true } }));
        if (result.found !== 'change') throw new Error(result.found);
        expect(refused).toBeLessThanOrEqual(isKnown ? 1 : 17);
        if (!isKnown) {
          expect(result.after).toBeLessThan(change);
          expect(result.by === to || result.by >= change).toBe(true);
        } else if (change <= archivedTo) expect([result.after, result.by]).toEqual([change - 1, change]);
        else expect(result).toMatchObject({ after: archivedTo, by: to, isTrueAtEnd: true, archivedTo });
      }),
      { numRuns: 300 },
    );
    const nothing = async () => ({ archivedTo: null });
    expect(await findMoment(nothing, options())).toMatchObject({ found: 'nothing-yet', after: 0, archivedTo: 0 });
  });

  it('tells each question, goes on from an open instance, and ends when it is told to', async () => {
    const past = new PlayedPast(becomesTrue(50 * minute), dear(minute));
    past.position = 0;
    const questions: Question[] = [];
    const told = options({
      to: 60 * minute,
      precisionMs: minute,
      onQuestion: (question) => void questions.push(question),
    });
    await findMoment(past.ask, { ...told, position: 0 });
    expect(questions[0]).toEqual({ step: 1, moment: 0, answer: false, move: 'forward', after: 0, by: null });
    expect(questions.map(({ moment }) => moment)).toEqual(past.asked);
    expect(questions.filter(({ move }) => move === 'open')).toHaveLength(past.opened);

    const controller = new AbortController();
    const cut = findMoment(past.ask, {
      ...told,
      signal: controller.signal,
      onQuestion: () => controller.abort(new Error('enough')),
    });
    await expect(cut).rejects.toThrow('enough');
    await expect(findMoment(past.ask, options({ to: 0 }))).rejects.toThrow(RangeError);
  });
});
