/** Moments as repositories write them, in ms since 1970. The core has no clock and no calendar of the platform's. */

const pattern = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,3})\d*)?(?:Z|([+-])(\d{2}):?(\d{2}))$/;

/** ISO 8601 with its zone; `undefined` when the text is no moment. */
export function parseMoment(iso: string): number | undefined {
  const match = pattern.exec(iso);
  if (match === null) return undefined;
  const part = (index: number): number => Number(match[index] ?? 0);
  const [month, day] = [part(2), part(3)];
  if (month < 1 || month > 12 || day < 1 || day > 31) return undefined;
  const ms = Number((match[7] ?? '').padEnd(3, '0'));
  const offset = (match[8] === '-' ? -1 : 1) * (part(9) * 60 + part(10));
  return (((daysBefore(part(1), month, day) * 24 + part(4)) * 60 + part(5) - offset) * 60 + part(6)) * 1_000 + ms;
}

/** Days from 1970 on, by the Gregorian calendar. Years begin in March here, so that a leap day is the last of its year. */
function daysBefore(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const ofEra = shifted - era * 400;
  const ofYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(ofEra / 4) - Math.floor(ofEra / 100);
  return era * 146_097 + ofEra * 365 + leapDays + ofYear - 719_468;
}

const msPerDay = 86_400_000;

/** ISO 8601 in UTC, to the millisecond. */
export function formatMoment(ms: number): string {
  const days = Math.floor(ms / msPerDay);
  const ofDay = ms - days * msPerDay;
  const { year, month, day } = dateOf(days);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const time = `${two(ofDay / 3_600_000)}:${two((ofDay / 60_000) % 60)}:${two((ofDay / 1_000) % 60)}`;
  const date = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
  return `${date}T${time}.${String(Math.floor(ofDay % 1_000)).padStart(3, '0')}Z`;
}

/** The way back from `daysBefore`: within 400 years every day has one number. */
function dateOf(days: number): { readonly year: number; readonly month: number; readonly day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const ofEra = shifted - era * 146_097;
  const leaps = Math.floor(ofEra / 1_460) - Math.floor(ofEra / 36_524) + Math.floor(ofEra / 146_096);
  const yearOfEra = Math.floor((ofEra - leaps) / 365);
  const ofYear = ofEra - (yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * ofYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return { year, month, day: ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1 };
}
