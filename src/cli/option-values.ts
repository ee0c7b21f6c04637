/** Reads what was typed after an option; a mistake is shown with the option's name and ends with exit code 2. */
import { InvalidArgumentError } from 'commander';

export function wholeNumber(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new InvalidArgumentError('A whole number is needed.');
  return Number(value);
}

export function countFrom(least: number, most: number): (value: string) => number {
  return (value) => {
    const count = wholeNumber(value);
    if (count < least || count > most) throw new InvalidArgumentError(`From ${least} to ${most} is possible.`);
    return count;
  };
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000 };

/** `5`, `0.5`, `5s`, `300ms`, `2min`, `2h`: in ms. */
export function duration(value: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|min|h)?$/.exec(value);
  if (match === null) throw new InvalidArgumentError('Seconds are needed, such as 5, 0.5, 300ms, 2min or 2h.');
  const [, number = '0', unit = 's'] = match;
  return Math.round(Number(number) * (unitMs[unit] ?? 1_000));
}

/** As `duration`, for what would be nothing without one. */
export function someDuration(value: string): number {
  const ms = duration(value);
  if (ms === 0) throw new InvalidArgumentError('A duration above 0 is needed.');
  return ms;
}

/** A node's name: an empty one stands for an unset variable of a script, and is no node. */
export function nodeName(value: string): string {
  if (value.trim() === '') throw new InvalidArgumentError('The name of a node is needed.');
  return value;
}

/** For options that may be given several times, or with commas. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...value.split(',').filter((part) => part !== '')];
}

const unitBytes: Readonly<Record<string, number>> = { MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 };

/** `500MB`, `50GB`, `1.5 TB`, in powers of 1024. */
export function byteSize(value: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?) ?(MB|GB|TB)$/i.exec(value) ?? [];
  if (number === '' || Number(number) === 0) throw new InvalidArgumentError('A size is needed, such as 500MB or 50GB.');
  return Math.floor(Number(number) * (unitBytes[unit.toUpperCase()] ?? 1));
}
