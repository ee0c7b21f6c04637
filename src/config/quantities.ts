/**
 * Durations and sizes as people write them, with PostgreSQL's own units (documentation 20.1.1): `500ms`, `10s`, `2min`,
 * `1h`; `16MB`, `8GB`, where a kB is 1024 bytes. Letters may be of either case.
 */
const durationUnits: readonly (readonly [string, number])[] = [
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
  ['ms', 1],
];

const sizeUnits: readonly (readonly [string, number])[] = [
  ['TB', 1024 ** 4],
  ['GB', 1024 ** 3],
  ['MB', 1024 ** 2],
  ['kB', 1024],
  ['B', 1],
];

export const durationPattern = /^\d{1,12}(\.\d{1,6})? ?(ms|s|min|h)$/i;
export const sizePattern = /^\d{1,12}(\.\d{1,6})? ?([kmgt]i?)?b$/i;

/** Milliseconds; a bare number is seconds. `null` unless it is a whole number of milliseconds. */
export function parseDuration(input: string | number): number | null {
  if (typeof input === 'number') return whole(input * 1_000);
  const match = /^([\d.]+) ?([a-z]+)$/i.exec(input);
  if (match === null || !durationPattern.test(input)) return null;
  return inUnits(match[1], match[2]?.toLowerCase(), durationUnits);
}

/** Bytes. `null` unless it is a whole number of bytes. */
export function parseSize(input: string): number | null {
  const match = /^([\d.]+) ?([a-z]+)$/i.exec(input);
  if (match === null || !sizePattern.test(input)) return null;
  const unit = match[2]?.toLowerCase().replace('ib', 'b');
  return inUnits(match[1], sizeUnits.find(([name]) => name.toLowerCase() === unit)?.[0], sizeUnits);
}

/** The largest unit that leaves no fraction. */
export function formatDuration(ms: number): string {
  return format(ms, durationUnits, '0s');
}

export function formatSize(bytes: number): string {
  return format(bytes, sizeUnits, '0B');
}

type Units = typeof durationUnits;

function inUnits(amount: string | undefined, unit: string | undefined, units: Units): number | null {
  const factor = units.find(([name]) => name === unit)?.[1];
  return amount === undefined || factor === undefined ? null : whole(Number(amount) * factor);
}

/** Decimal fractions are not exact in binary: 0.3 s is 300 ms. */
function whole(value: number): number | null {
  const rounded = Math.round(value);
  return Number.isSafeInteger(rounded) && rounded >= 0 && Math.abs(rounded - value) < 1e-6 ? rounded : null;
}

function format(value: number, units: Units, zero: string): string {
  const unit = units.find(([, factor]) => value >= factor && value % factor === 0);
  return value === 0 || unit === undefined ? zero : `${value / unit[1]}${unit[0]}`;
}
