/**
 * The fence's messages: one line of JSON each way, answered in order.
 *
 * Requests are checked by hand and not by a schema: the library would be a seventh of the fence's own memory. Refuses
 * whatever does not have exactly the shape that is asked for; keys it does not know are left alone, so that a newer
 * agent can speak to an older fence.
 */
import type { FencedProcess, FenceStatus, PrimaryStart } from '../ports/fence.ts';

/** Grows when an older fence would misunderstand a newer agent; the agent then puts another in its place. */
export const protocol = 1;

export const longestLine = 64 * 1024;

export type FenceRequest =
  | { readonly do: 'extend'; readonly term: number; readonly deadlineMs: number }
  | { readonly do: 'drop' }
  /** `untilMs`: who asked gives up then, and what it asked for must not happen behind its back. */
  | { readonly do: 'start'; readonly as: 'primary' | 'standby'; readonly untilMs: number; readonly start: PrimaryStart }
  | { readonly do: 'promote'; readonly untilMs: number; readonly postmaster: FencedProcess }
  | { readonly do: 'status' };

export type FenceAnswer =
  | {
      readonly ok: true;
      readonly process?: FencedProcess;
      readonly status?: FenceStatus & { readonly protocol: number };
    }
  | { readonly ok: false; readonly because: string };

/** What the fence is started with: its arguments. */
export interface FenceArguments {
  readonly socket: string;
  /** PostgreSQL's data directory: whoever works in it is killed at the deadline. */
  readonly data: string;
  /** Where it keeps its deadline, for a fence that comes after it; locked as long as it lives. */
  readonly memory: string;
  /** A hardware watchdog's device. */
  readonly watchdog: string | null;
}

/** Throws with what is wrong. */
export function parseRequest(line: string): FenceRequest {
  const value = record(JSON.parse(line), 'a request');
  switch (value.do) {
    case 'extend':
      return { do: 'extend', term: whole(value.term, 'term', 1), deadlineMs: number(value.deadlineMs, 'deadlineMs') };
    case 'drop':
      return { do: 'drop' };
    case 'status':
      return { do: 'status' };
    case 'start':
      if (value.as !== 'primary' && value.as !== 'standby') throw new Error('as: neither primary nor standby');
      return { do: 'start', as: value.as, untilMs: number(value.untilMs, 'untilMs'), start: start(value.start) };
    case 'promote': {
      const { pid, startTicks } = record(value.postmaster, 'postmaster');
      const postmaster = { pid: whole(pid, 'pid', 2), startTicks: whole(startTicks, 'startTicks', 0) };
      return { do: 'promote', untilMs: number(value.untilMs, 'untilMs'), postmaster };
    }
    default:
      throw new Error('not a known request');
  }
}

function start(value: unknown): PrimaryStart {
  const { program, args, directory, environment, logFile } = record(value, 'start');
  if (!Array.isArray(args)) throw new Error('args: not a list');
  return {
    program: text(program, 'program'),
    args: args.map((each) => text(each, 'args')),
    directory: text(directory, 'directory'),
    environment: Object.fromEntries(
      Object.entries(record(environment, 'environment')).map(([name, each]) => [name, text(each, name)]),
    ),
    logFile: text(logFile, 'logFile'),
  };
}

/** An object's own properties, none of which is known yet. */
export function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${name}: not an object`);
  return Object.fromEntries(Object.entries(value));
}

export function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value.includes('\0')) throw new Error(`${name}: not a text`);
  return value;
}

export function number(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error(`${name}: not a number`);
  return value;
}

export function whole(value: unknown, name: string, least: number): number {
  const checked = number(value, name);
  if (!Number.isSafeInteger(checked) || checked < least) throw new Error(`${name}: not a whole number from ${least}`);
  return checked;
}
