/** The moments at which clocks here show a time: none in the hour that spring leaves out, two in autumn. In ms since 1970. */
import type { LocalTime } from '../core/backups/target.ts';

/** No zone was ever moved by more in one step. */
const widestShiftMinutes = 180;

export function momentsOf({ year, month, day, hour, minute, second }: LocalTime): readonly number[] {
  const guess = new Date(year, month - 1, day, hour, minute, second).getTime();
  const found: number[] = [];
  for (let minutes = -widestShiftMinutes; minutes <= widestShiftMinutes; minutes += 30) {
    const ms = guess + minutes * 60_000;
    const at = new Date(ms);
    const isThat = at.getHours() === hour && at.getMinutes() === minute && at.getSeconds() === second;
    if (isThat && at.getDate() === day && at.getMonth() === month - 1 && at.getFullYear() === year) found.push(ms);
  }
  return found;
}
