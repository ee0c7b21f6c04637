/**
 * Why a recovery ended before its target: the log of the restored server says it, since pgBackRest and PostgreSQL write it there and
 * nowhere else.
 */
import { join } from 'node:path';
import { createLogTail } from '../postgres/replication-log.ts';

/** pgBackRest could get a segment, and not make anything of it. */
const unreadable = /^ERROR: \[\d+\]: (unable to get [0-9A-F]{24}\b.*)\n\s+(\S.*)$/gm;
/** PostgreSQL could read a segment, and found a record that is none (xlogreader.c); in the C locale. */
const noRecord =
  /LOG: {2}(.*\b(?:record|magic number|resource manager|page header|pageaddr|info bits)\b.* (?:at|in) .*)$/gm;
const fatal = /FATAL: {2}(recovery ended .*|requested .*|could not .*|.*history.*)$/gm;

/** In one line; `null`: it says nothing of it. */
export function troubleIn(log: string): string | null {
  const [archive, record, end] = [unreadable, noRecord, fatal].map((pattern) => [...log.matchAll(pattern)].at(-1));
  const parts = [
    ...(archive === undefined ? [] : [`${archive[1]} ${archive[2]}`]),
    ...(record?.[1] === undefined ? [] : [record[1]]),
    ...(end?.[1] === undefined ? [] : [end[1]]),
  ];
  return parts.length === 0 ? null : parts.join('; ');
}

/** `directory`: of the server's socket and log; empty: it has said nothing. */
export function readServerLog(directory: string): string {
  return createLogTail(join(directory, 'postgresql.log')).read(0).text;
}
