/**
 * Which moment to ask next. Pure.
 *
 * Forward in time costs little: WAL is replayed from where the instance is. Backward costs a new restore. Halving asks half of its
 * questions backward. So each question is weighed: what it tells (the entropy of its answer, if the change may be anywhere between), for what it
 * costs: the way there, and, should the answer be yes, the restore that the next question needs then. The best ratio is asked. Where backward is as
 * cheap as forward that is the middle; where it is dear it is a little after the last no, so that most answers allow to go on forward. Before the
 * last question no restore follows. No share is smaller than what lets the questions that are left suffice, however they are answered: else where
 * a restore is very dear it would go on in steps without an end.
 */

/** Estimates are enough: they decide the order of questions, never the answer. In ms. */
export interface MoveCosts {
  /** A new instance, opened at this moment. */
  openMs(moment: number): number;
  /** The open one, moved on. */
  forwardMs(from: number, to: number): number;
}

/** Moments in ms since 1970. */
export interface Interval {
  /** Not yet true. */
  readonly after: number;
  /** True, or taken to be. */
  readonly by: number;
}

export interface ChoiceState extends Interval {
  readonly precisionMs: number;
  /** How many questions may follow until both ends are that close, this one among them. */
  readonly stepsLeft: number;
  /** Where the instance stands; `null`: none is open. */
  readonly position: number | null;
}

const shares = Array.from({ length: 63 }, (_, index) => (index + 1) / 64);
/** Below it a question tells next to nothing: a fifth of a bit. */
const leastShare = 1 / 32;

/** Strictly between both ends, which must lie further apart than the precision, and that is 1 ms or more. */
export function chooseMoment(state: ChoiceState, costs: MoveCosts): number {
  const { after, by, precisionMs } = state;
  const length = by - after;
  const middle = after + Math.floor(length / 2);
  // When every answer leaves the greater part: (1 - least) ^ steps * length = precision.
  const needed = 1 - (precisionMs / length) ** (1 / Math.max(1, state.stepsLeft));
  const least = Math.min(0.5, Math.max(leastShare, needed));
  const candidates = [least, ...shares].map((share) => Math.ceil(after + share * length));
  let best = middle;
  let bestWorth = worthOf(middle, state, costs);
  for (const moment of [...candidates, after + precisionMs]) {
    const share = (moment - after) / length;
    if (moment <= after || moment >= by || share < least || share > 1 - least) continue;
    const worth = worthOf(moment, state, costs);
    if (worth <= bestWorth) continue;
    best = moment;
    bestWorth = worth;
  }
  return best;
}

export function isForward(position: number | null, moment: number): position is number {
  return position !== null && moment >= position;
}

function worthOf(moment: number, state: ChoiceState, costs: MoveCosts): number {
  const { after, by, position, precisionMs } = state;
  const share = (moment - after) / (by - after);
  const way = isForward(position, moment) ? costs.forwardMs(position, moment) : costs.openMs(moment);
  const isLast = moment - after <= precisionMs;
  const back = isLast ? 0 : costs.openMs((after + moment) / 2);
  // A question costs something, whatever is estimated.
  return entropy(share) / Math.max(1, way + share * back);
}

function entropy(share: number): number {
  return -share * Math.log2(share) - (1 - share) * Math.log2(1 - share);
}
