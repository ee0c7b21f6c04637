/**
 * How often this node lost its lease while it lived: failovers that nobody needed, by the events that are kept. What is
 * behind them is a lease that is too short for this store, this network or this machine.
 */
import type { DoctorFinding } from '../api/contract/looks.ts';
import type { EventRecord } from '../events/catalogue.ts';
import { bad, ok } from './finding.ts';

const check = 'failovers that nobody needed';

export function checkLostLeases(node: string, ttlMs: number, events: readonly EventRecord[]): DoctorFinding {
  const lost = events.filter((event) => event.name === 'lease.lost' && event.node === node);
  const since = events[0]?.at ?? null;
  const last = lost.at(-1);
  if (last === undefined) return ok(check, since === null ? 'none' : `none since ${since}`);
  const text = `${lost.length} since ${since}, the last at ${last.at}: the agent lived, and could not renew its lease of ${ttlMs / 1_000} s`;
  return bad(check, 'warning', text, 'see what held up the agent or the store then, or declare a longer lease');
}
