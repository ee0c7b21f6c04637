/**
 * May anybody write at the moment? Pure.
 *
 * Invariant: `read-only` is said only where writers are refused; where they wait (a move of the primary, a failover that
 * a pooler bridges) it is `paused` or `no-primary`, and a transaction is tried all the same.
 */

import type { ServerBelief } from '../routing/eligible.ts';
import type { LocalTopology } from '../wire/local-topology.ts';

export type Mode = 'writable' | 'paused' | 'no-primary' | 'read-only' | 'unknown';

export interface ModeReport {
  readonly mode: Mode;
  readonly because: string;
}

/** What this process saw of its own writes, in ms of the runtime; `null`: never. */
export interface WriteExperience {
  readonly workedAtMs: number | null;
  readonly refusedAtMs: number | null;
}

/** `said`: what the agent of this host says, `null` without one that is heard. */
export function modeOf(
  said: LocalTopology | null,
  servers: () => readonly ServerBelief[],
  { workedAtMs, refusedAtMs }: WriteExperience,
): ModeReport {
  if (said !== null) return modeSaid(said);
  if (refusedAtMs !== null && refusedAtMs > (workedAtMs ?? Number.NEGATIVE_INFINITY)) {
    return { mode: 'read-only', because: 'a server refused the last write' };
  }
  if (workedAtMs !== null) return { mode: 'writable', because: 'the last write worked' };
  const primary = servers().find(({ role, isReachable }) => role === 'primary' && isReachable === 'yes');
  if (primary !== undefined) return { mode: 'writable', because: `${primary.name} is the primary` };
  return { mode: 'unknown', because: 'nobody has written yet' };
}

function modeSaid({ pooler, topology }: LocalTopology): ModeReport {
  if (pooler.readOnly) return { mode: 'read-only', because: readOnlyBecause(topology?.readOnly === true) };
  if (pooler.state !== 'open') return { mode: 'paused', because: `the pooler of this host is ${pooler.state}` };
  if (topology === null) return { mode: 'unknown', because: 'the agent of this host has heard nothing yet' };
  if (topology.primary === null) return { mode: 'no-primary', because: 'there is no primary' };
  const { node, writable } = topology.primary;
  if (!writable) return { mode: 'no-primary', because: `${node} is to be primary, and not yet known to be writable` };
  return { mode: 'writable', because: `${node} is the primary` };
}

function readOnlyBecause(isDeclared: boolean): string {
  return isDeclared ? 'an operator said so' : 'there is no primary, and the pooler serves standbys meanwhile';
}
