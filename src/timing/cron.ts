/**
 * When a cron expression comes round: five fields (minute, hour, day, month, weekday) in a time zone of the IANA database.
 *
 * Invariant: nothing runs here, and no clock is read. At a change of the clocks croner decides: what falls into the hour
 * that is left out comes after it, and what falls into the hour that comes twice comes once.
 */
import { Cron } from 'croner';
import type { NextAfter } from '../core/backups/calendar.ts';

interface Pattern {
  readonly cron: Cron;
  /** The last answer, which holds for every moment between the two: a search costs about a millisecond. */
  answer: { readonly fromMs: number; readonly nextMs: number | null } | null;
}

const patterns = new Map<string, Pattern>();
/** More than a cluster declares. */
const mostPatterns = 100;

function patternOf(expression: string, timeZone: string): Pattern {
  const key = `${timeZone} ${expression}`;
  const known = patterns.get(key);
  if (known !== undefined) return known;
  const cron = new Cron(expression, { timezone: timeZone, mode: '5-part', paused: true });
  const pattern: Pattern = { cron, answer: null };
  if (patterns.size >= mostPatterns) patterns.clear();
  patterns.set(key, pattern);
  return pattern;
}

/** Throws `RangeError` or `TypeError` for what `isCron` and `isTimeZone` refuse. */
export const nextAfter: NextAfter = (expression, timeZone, fromMs) => {
  const pattern = patternOf(expression, timeZone);
  const { answer } = pattern;
  if (answer !== null && answer.fromMs <= fromMs && (answer.nextMs === null || fromMs < answer.nextMs)) {
    return answer.nextMs;
  }
  const nextMs = pattern.cron.nextRun(new Date(fromMs))?.getTime() ?? null;
  pattern.answer = { fromMs, nextMs };
  return nextMs;
};

/** Five fields; croner's own names for whole expressions (`@weekly`) are none. */
export function isCron(expression: string): boolean {
  if (expression.trim().split(/\s+/).length !== 5) return false;
  try {
    patternOf(expression, 'UTC');
    return true;
  } catch {
    return false;
  }
}

/** By name, such as `Europe/Berlin`; an offset such as `+01:00` is none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
