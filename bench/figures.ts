/** The few figures that every bench reports. */

export function rounded(value: number, digits = 1): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

/** By nearest rank; `fraction` in 0..1. NaN of nothing. */
function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.max(0, Math.ceil(fraction * sorted.length) - 1);
  return sorted[rank] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

export interface Spread {
  readonly median: number;
  readonly p99: number;
  readonly worst: number;
}

export function spread(values: readonly number[]): Spread {
  return { median: rounded(median(values)), p99: rounded(quantile(values, 0.99)), worst: rounded(Math.max(...values)) };
}

/** The median of each named figure over several records, and the worst. */
export function figuresOf(
  records: readonly Readonly<Record<string, number>>[],
): Record<string, { readonly median: number; readonly worst: number }> {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const of = (name: string): number[] => records.flatMap((record) => record[name] ?? []);
  return Object.fromEntries(
    names.map((name) => [name, { median: rounded(median(of(name))), worst: rounded(Math.max(...of(name))) }]),
  );
}
