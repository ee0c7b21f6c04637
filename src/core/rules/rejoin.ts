/**
 * How a node comes back whose WAL parts from the holder's: first what it has alone is kept and listed, then it is rewound,
 * or cloned with its old directory set aside (PROTOCOLS, "Failover" 9).
 *
 * Invariant: nothing that may hold commits which the cluster has not got is started, rewound or replaced before it was
 * examined, as long as the fork is known. A failed examination, a fork that is not known and a timeline under another term
 * all end in a clone that keeps the whole directory.
 * A standby at rest is started as usual: it writes no WAL of its own, and its log tells whether it has diverged.
 * So is an old primary that an election should hear (failover.ts): as a standby without an upstream it changes nothing of it.
 */

import { chooseWayBack, type Parting, partingOf } from '../divergence.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import { formatLsn } from '../lsn.ts';
import { act, type Situation, timelinesOf, type Verdict, wait } from '../situation.ts';
import type { NodeName } from '../spec.ts';
import { retryAfterMs } from './job-retry.ts';

type Stopped = Extract<LocalPostgres, { state: 'stopped' }>;
type Forked = Extract<Parting, { is: 'forked' }>;

function parting({ view }: Situation, local: number, term: number): Parting {
  const timelines = timelinesOf(view.store);
  const holders = timelines.get(term);
  if (holders === undefined) return { is: 'unknown', because: `the timeline of term ${term} is not known` };
  return partingOf(timelines, local, holders.timeline);
}

function keyOf({ stretches }: Forked): string {
  return stretches.map(({ timeline, from }) => `${timeline}@${formatLsn(from)}`).join(' ');
}

/** What lies past the fork for certain, or may: a clean end below it does not, since the winner had replayed past that. */
function mayHoldMore(postgres: Stopped, { at }: Forked): boolean {
  if (postgres.timeline !== at.timeline || postgres.checkpointLsn >= at.from) return true;
  return postgres.lastRole === 'primary' && postgres.shutdown === 'crashed';
}

/** Before a stopped server is started as the holder's standby; `null`: it may be. The holder is writable. */
export function decideReturn(situation: Situation, postgres: Stopped, holder: NodeName, term: number): Verdict | null {
  const parted = parting(situation, postgres.timeline, term);
  if (parted.is !== 'forked') return null;
  const { examined } = situation.memory;
  if (examined?.key !== keyOf(parted)) return mayHoldMore(postgres, parted) ? rescue(parted, holder, term) : null;
  if (!examined.found.diverged) return null;
  const way = chooseWayBack(examined.found, examined.rewindFailed);
  const backOff = retryAfterMs(situation.view, 'clone');
  if (way.by === 'clone' && backOff > 0) {
    const text = situation.view.lastJobs.get('clone')?.error ?? 'clone failed';
    return wait({ code: 'clone-failed', text }, backOff);
  }
  const { systemIdentifier } = postgres;
  const because = [way.code];
  const text = `${way.text}: ${way.by === 'rewind' ? 'rewinding to' : 'cloning from'} ${holder}`;
  return way.by === 'rewind'
    ? act([{ do: 'rewind', from: holder, systemIdentifier, key: examined.key, because }], { code: way.code, text })
    : act([{ do: 'clone', from: holder, systemIdentifier, diverged: true, because }], { code: way.code, text });
}

/** A running standby whose log says that it has diverged; `null`: nothing is left to be examined. The holder is writable. */
export function decideRescue(situation: Situation, timeline: number, holder: NodeName, term: number): Verdict | null {
  const parted = parting(situation, timeline, term);
  if (parted.is !== 'forked' || situation.memory.examined?.key === keyOf(parted)) return null;
  return rescue(parted, holder, term);
}

function rescue(parted: Forked, holder: NodeName, term: number): Verdict {
  const { at, stretches } = parted;
  const text = `${holder} left timeline ${at.timeline} at ${formatLsn(at.from)}: looking at what this node has past it`;
  return act([{ do: 'rescue', key: keyOf(parted), term, stretches, because: ['parted'] }], { code: 'parted', text });
}
