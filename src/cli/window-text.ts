/**
 * How far back one can look, for `status` and `backup list`: in a line of words, and drawn.
 *
 * Invariant: a gap is seen, however short it is. Dates are of UTC.
 */
import type { RecoverableWindow, Stretch } from '../core/backups/window.ts';
import { ageText, countText } from './words.ts';

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const twoDaysMs = 2 * 86_400_000;

/** `Oct 16`; with the time, `Oct 16 02:40`. */
export function dateText(ms: number, withTime = false): string {
  const date = new Date(ms);
  const day = `${months[date.getUTCMonth()] ?? ''} ${date.getUTCDate()}`;
  return withTime ? `${day} ${date.toISOString().slice(11, 16)}` : day;
}

/** Between two stretches, or behind the last one. */
interface Gap {
  readonly fromMs: number;
  /** `null`: up to now. */
  readonly toMs: number | null;
}

function gapsOf({ stretches }: RecoverableWindow): readonly Gap[] {
  return stretches.flatMap((stretch, index): readonly Gap[] => {
    const next = stretches[index + 1];
    if (next !== undefined) return [{ fromMs: stretch.toMs, toMs: next.fromMs }];
    return stretch.end.because === 'wal-missing' ? [{ fromMs: stretch.toMs, toMs: null }] : [];
  });
}

function gapText({ fromMs, toMs }: Gap): string {
  return `${dateText(fromMs, true)} to ${toMs === null ? 'now' : dateText(toMs, true)}`;
}

/** `past: Oct 16 to 41 s ago`; with gaps: `past: Oct 16 to 41 s ago, but for Nov 2 03:10 to Nov 2 05:00`. */
export function describeWindow(window: RecoverableWindow, nowMs: number): string {
  const [first, last] = [window.stretches[0], window.stretches.at(-1)];
  if (first === undefined || last === undefined) return 'past: nothing yet';
  const isShort = nowMs - first.fromMs < twoDaysMs;
  const gaps = gapsOf(window);
  const shown = gaps.length > 3 ? `${countText(gaps.length, 'gap')}` : gaps.map(gapText).join(', ');
  const rest = gaps.length === 0 ? '' : `, but for ${shown}`;
  return `past: ${dateText(first.fromMs, isShort)} to ${ageText(nowMs - last.toMs)} ago${rest}`;
}

/** The backups that the line marks. */
export interface WindowMark {
  readonly atMs: number;
  /** One letter. */
  readonly letter: string;
}

/**
 * Two lines of at most `width` columns, none where one can't look back at all: `F──d──·F──d─`, and the dates below. A column
 * is drawn as a gap if any part of it is one, unless a backup ends a gap that was seen before it.
 */
export function drawWindow(
  window: RecoverableWindow,
  marks: readonly WindowMark[],
  nowMs: number,
  width: number,
): readonly string[] {
  const begin = window.stretches[0]?.fromMs;
  if (begin === undefined || width < 12 || nowMs <= begin) return [];
  const columnMs = (nowMs - begin) / width;
  const cells = Array.from({ length: width }, (_, index) => {
    const [from, to] = [begin + index * columnMs, begin + (index + 1) * columnMs];
    const gaps = gapsIn(window, { from, to, nowMs });
    const mark = marks.findLast(({ atMs }) => atMs >= from && (atMs < to || index === width - 1) && atMs <= nowMs);
    // Of a gap that began in an earlier column something is seen there.
    if (mark !== undefined && gaps.every(({ fromMs }) => fromMs < from)) return mark.letter;
    return gaps.length > 0 ? '·' : '─';
  });
  return [cells.join(''), labels(window, begin, columnMs, width)];
}

/** What is not archived yet is a gap where it fills a column. */
function gapsIn(
  window: RecoverableWindow,
  { from, to, nowMs }: { readonly from: number; readonly to: number; readonly nowMs: number },
): readonly Gap[] {
  const last: Stretch | undefined = window.stretches.at(-1);
  if (last !== undefined && from > last.toMs) return [{ fromMs: last.toMs, toMs: null }];
  return gapsOf(window).filter((gap) => gap.fromMs < to && (gap.toMs ?? nowMs) > from);
}

/** The beginning, `now`, and where one can look again after a gap, as far as there is room. */
function labels(window: RecoverableWindow, begin: number, columnMs: number, width: number): string {
  const texts = window.stretches.map(({ fromMs }, index) => ({
    text: dateText(fromMs),
    at: index === 0 ? 0 : Math.min(width - 1, Math.floor((fromMs - begin) / columnMs)),
  }));
  let line = '';
  for (const { text, at } of texts) {
    const isFree = line === '' || at > line.length;
    if (isFree && at + text.length < width - 3) line = line.padEnd(at) + text;
  }
  return `${line.padEnd(width - 3)}now`;
}
