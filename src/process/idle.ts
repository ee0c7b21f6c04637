/**
 * Words before a program that make it take what nobody else wants: processor time and, where the disk's scheduler knows of it (BFQ), disk
 * time. What it starts inherits both. One that may not be made so runs all the same.
 */
import { findInstalled } from './installed.ts';

/** Each of the programs puts the next in its own place, so that the process keeps its id. */
export function idly(): readonly string[] {
  const [ionice, nice] = [findInstalled('ionice'), findInstalled('nice')];
  return [
    ...(ionice === null ? [] : [ionice, '--ignore', '--class', '3']),
    ...(nice === null ? [] : [nice, '-n', '19']),
  ];
}

/** The kernel ends it as soon as this process is gone: in PostgreSQL's immediate way (documentation 19.5), since nobody needs its data. */
export function endingWithUs(): readonly string[] {
  const setpriv = findInstalled('setpriv');
  return setpriv === null ? [] : [setpriv, '--pdeathsig', 'QUIT'];
}
