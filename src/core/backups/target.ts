/**
 * Reads to where somebody wants to recover, as people write it: a time, a span ago, an LSN, a transaction, a name, or `latest`.
 *
 * Invariant: nothing that can be read in two ways is read in one of them: it is refused, with the words for either. What was
 * understood is answered, so that it can be shown before anything is done. A time without a zone is local time; the core has no
 * zones, so that these are an argument.
 */
import { formatLsn, parseLsn } from '../lsn.ts';
import { formatMoment, parseMoment } from './moments.ts';

export interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** The moments at which clocks here show that time, in ms: none in the hour that is left out in spring, two in autumn. */
export type MomentsOf = (time: LocalTime) => readonly number[];

export type Target =
  | { readonly type: 'latest' }
  /** `value`: ISO 8601 in UTC, to the microsecond if it was said so. */
  | { readonly type: 'time'; readonly value: string; readonly atMs: number }
  | { readonly type: 'lsn'; readonly value: string }
  | { readonly type: 'xid'; readonly value: string }
  | { readonly type: 'name'; readonly value: string };

export type ParsedTarget = { readonly target: Target } | { readonly refused: string };

export interface Surroundings {
  readonly nowMs: number;
  readonly momentsOf: MomentsOf;
}

const spans: readonly (readonly [RegExp, number])[] = [
  [/^(?:s|sec|secs|second|seconds)$/, 1_000],
  [/^(?:min|mins|minute|minutes)$/, 60_000],
  [/^(?:h|hour|hours)$/, 3_600_000],
  [/^(?:d|day|days)$/, 86_400_000],
  [/^(?:w|week|weeks)$/, 7 * 86_400_000],
];
const timePattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:T| +)(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6}))?)? *(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$/i;
const examples =
  '"2026-11-19 14:00", "2026-11-19T14:00:00Z", "2 h ago", 0/3000028, xid:1234, name:before-upgrade, latest';
/** PostgreSQL keeps no more of a restore point's name (xlog_internal.h, MAXFNAMELEN). */
const longestName = 63;

/** As `parseTarget` reads it again. */
export function targetText(target: Target): string {
  switch (target.type) {
    case 'latest':
      return 'latest';
    case 'time':
      return target.value;
    case 'lsn':
    case 'xid':
    case 'name':
      return `${target.type}:${target.value}`;
    default:
      return target satisfies never;
  }
}

export function parseTarget(text: string, surroundings: Surroundings): ParsedTarget {
  const said = text.trim();
  if (/^latest$/i.test(said)) return { target: { type: 'latest' } };
  const [, prefix = '', rest = ''] = /^(lsn|xid|name):(.*)$/is.exec(said) ?? [];
  if (prefix !== '') return named(prefix.toLowerCase(), rest.trim());
  const ago = /^(.+?)\s+ago$/i.exec(said);
  if (ago !== null) return spanAgo(ago[1] ?? '', surroundings.nowMs);
  const lsn = parseLsn(said);
  if (lsn !== undefined) {
    if (!/^\d{1,2}\/\d{1,2}$/.test(said)) return { target: { type: 'lsn', value: formatLsn(lsn) } };
    return {
      refused: `${said} may be a date or a position: write 2026-11-19 14:00 for one, lsn:${said} for the other`,
    };
  }
  return timeOf(said, surroundings);
}

function named(prefix: string, rest: string): ParsedTarget {
  if (prefix === 'lsn') {
    const lsn = parseLsn(rest);
    return lsn === undefined
      ? { refused: `${rest} is no position in the WAL, such as 0/3000028` }
      : { target: { type: 'lsn', value: formatLsn(lsn) } };
  }
  if (prefix === 'xid') {
    if (/^[1-9]\d{0,9}$/.test(rest) && Number(rest) < 2 ** 32) return { target: { type: 'xid', value: rest } };
    return { refused: `${rest} is no transaction id as the WAL has it: a number below 2^32, without its epoch` };
  }
  if (rest === '' || rest.length > longestName || /[\r\n\0]/.test(rest)) {
    return { refused: `a restore point's name has 1 to ${longestName} characters, and no line break` };
  }
  return { target: { type: 'name', value: rest } };
}

function spanAgo(text: string, nowMs: number): ParsedTarget {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)\s*/gi)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text) {
    return { refused: `"${text} ago" is not understood: write "2 h ago", "45 min ago" or "1 d 6 h ago"` };
  }
  let total = 0;
  for (const [, count = '', unit = ''] of parts) {
    const lower = unit.toLowerCase();
    if (unit === 'm' || unit === 'M')
      return { refused: `${count} ${unit} may be minutes or months: write min, or a date` };
    const ms = spans.find(([names]) => names.test(lower))?.[1];
    if (ms === undefined)
      return { refused: `"${unit}" is no span of a fixed length: s, min, h, d and w are, or write a date` };
    total += Number(count) * ms;
  }
  return at(Math.round(nowMs - total), '', nowMs);
}

function timeOf(said: string, { nowMs, momentsOf }: Surroundings): ParsedTarget {
  const match = timePattern.exec(said);
  if (match === null) return { refused: whyNoTime(said) };
  const part = (index: number): number => Number(match[index] ?? 0);
  const time = { year: part(1), month: part(2), day: part(3), hour: part(4), minute: part(5), second: part(6) };
  if (!exists(time)) return { refused: `there is no ${said}` };
  const fraction = (match[7] ?? '').padEnd(6, '0');
  const ms = Number(fraction.slice(0, 3));
  const micros = fraction.slice(3) === '000' ? '' : fraction.slice(3);
  const zone = match[8];
  if (zone !== undefined) {
    const zoned = parseMoment(`${isoOf(time)}${offsetOf(zone)}`);
    return zoned === undefined ? { refused: `there is no ${said}` } : at(zoned + ms, micros, nowMs);
  }
  const [first, second] = momentsOf(time);
  if (first === undefined)
    return {
      refused: `clocks here never showed ${said}: summer time began. Write it with its zone, as ${isoOf(time)}Z`,
    };
  if (second !== undefined) {
    const [one, other] = [formatMoment(first), formatMoment(second)];
    return { refused: `clocks here showed ${said} twice, since summer time ended: write ${one} or ${other}` };
  }
  return at(first + ms, micros, nowMs);
}

function at(atMs: number, micros: string, nowMs: number): ParsedTarget {
  if (atMs > nowMs) return { refused: `${formatMoment(atMs)} is still to come; it is ${formatMoment(nowMs)} now` };
  return { target: { type: 'time', value: `${formatMoment(atMs).slice(0, -1)}${micros}Z`, atMs } };
}

function isoOf({ year, month, day, hour, minute, second }: LocalTime): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`;
}

function offsetOf(zone: string): string {
  if (/^(?:Z|UTC|GMT)$/i.test(zone)) return 'Z';
  return zone.length === 3 ? `${zone}:00` : zone;
}

function exists(time: LocalTime): boolean {
  const { hour, minute, second } = time;
  if (hour > 23 || minute > 59 || second > 59) return false;
  const ms = parseMoment(`${isoOf(time)}Z`);
  // A day that the month does not have is one of the next month.
  return ms !== undefined && formatMoment(ms).startsWith(isoOf(time));
}

function whyNoTime(said: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(said)) return `${said} is a whole day: say the time, too, such as "${said} 14:00"`;
  if (/^\d{1,2}:\d{2}(?::\d{2})?$/.test(said)) return `${said} is of no day: say which, such as "2026-11-19 14:00"`;
  if (/^\d+$/.test(said)) return `${said} may be anything: write xid:${said} for a transaction`;
  if (/^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b/.test(said))
    return `${said}: write a date as year-month-day, such as 2026-11-19`;
  if (/^\d{4}-\d{2}-\d{2}.*[A-Za-z]{2,}$/.test(said)) {
    return `${said}: the names of zones mean several: write an offset, such as +01:00, or UTC`;
  }
  return `"${said}" is not understood: write one of ${examples}`;
}
