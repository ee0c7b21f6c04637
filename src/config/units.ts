/**
 * Durations and sizes as people write them, with PostgreSQL's units (documentation 20.1.1): `500ms`, `10s`, `16MB`.
 *
 * Invariant: what is formatted reads back as the same number. A number without a unit is refused: seconds in one
 * program are milliseconds in the next.
 */
const durationUnits: ReadonlyMap<string, number> = new Map([
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
  ['ms', 1],
]);

const sizeUnits: ReadonlyMap<string, number> = new Map([
  ['TB', 1024 ** 4],
  ['GB', 1024 ** 3],
  ['MB', 1024 ** 2],
  ['kB', 1024],
  ['B', 1],
]);

export const durationPattern = /^(\d{1,15}(?:\.\d{1,6})?) ?(ms|s|min|h|d)$/;
export const sizePattern = /^(\d{1,15}(?:\.\d{1,6})?) ?(B|kB|MB|GB|TB)$/;

function parse(text: string, pattern: RegExp, units: ReadonlyMap<string, number>): number | undefined {
  const [, digits, unit] = pattern.exec(text) ?? [];
  const factor = units.get(unit ?? '');
  if (digits === undefined || factor === undefined) return undefined;
  // A fraction of a unit is off by a rounding error: 0.07 MB is 73400.32000000001 B.
  const exact = Number(digits) * factor;
  const whole = Math.round(exact);
  return Math.abs(exact - whole) <= whole * 1e-12 && Number.isSafeInteger(whole) ? whole : undefined;
}

function format(value: number, units: ReadonlyMap<string, number>): string {
  for (const [unit, factor] of units) {
    if (value >= factor && value % factor === 0) return `${value / factor}${unit}`;
  }
  return `${value}${[...units.keys()].at(-1)}`;
}

/** In milliseconds; `undefined` when it isn't a duration of whole milliseconds. */
export function parseDuration(text: string): number | undefined {
  return parse(text, durationPattern, durationUnits);
}

/** In bytes; `undefined` when it isn't a size of whole bytes. */
export function parseSize(text: string): number | undefined {
  return parse(text, sizePattern, sizeUnits);
}

export function formatDuration(ms: number): string {
  return format(ms, durationUnits);
}

export function formatSize(bytes: number): string {
  return format(bytes, sizeUnits);
}
