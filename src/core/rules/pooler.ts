/**
 * What an app node's agent does with its pooler: where it points, when it pauses, and when it opens again.
 *
 *            pause shown           drained                 over, and a writable primary
 *   open ───────────────► draining ───────► drained ──────────────────────────────────► open
 *     ▲                      │                 │   limit + hold passed: the last known primary
 *     └──────────────────────┴─────────────────┘
 *
 * | gate     | leaves when                                                                              |
 * | open     | an agent at our term or above shows a pause that is new to us and doesn't leave us out    |
 * | draining | drained; or the operation is over, or its limit passed: everything is resumed             |
 * | drained  | the operation is over and a primary is writable at the pause's term or above              |
 *
 * Invariants: no topology of a lower term than one acted on is ever acted on, by whichever agent it was sent; a pooler
 * never stays shut for longer than the limit that came with the pause plus `pauseHoldMs`; an operation pauses a pooler
 * once at most, so that late and repeated messages can't shut it again.
 *
 * Agents are heard side by side and none of them is the newest for sure, so an operation counts as over by positive
 * signs alone: an agent names it as ended, one that showed it shows it no more, or a higher term has a writable primary.
 * When nobody can be heard, the last configuration stays: this module never takes anything away for lack of news.
 */
import type { TopologyPause } from '@understudy/client';
import type { Reason } from '../decision.ts';
import type { PoolerConfiguration, PoolerGate } from '../pooler-configuration.ts';
import { configurationOf } from './pooler-aliases.ts';
import type { PoolerGateView, PoolerMemory, PoolerView, Sighting } from './pooler-memory.ts';
import { isHeard, isOver, type KnownPrimary, ranked, writablePrimary } from './sightings.ts';

/** After the limit of a pause: how long to wait for a writable primary before opening towards the last known one. */
export const pauseHoldMs = 10_000;

/** How many operations that were served are remembered; one lasts seconds, and a message arrives late by less. */
const servedKept = 16;

export type PoolerAction = { readonly because: readonly string[] } & (
  | { readonly do: 'configure'; readonly configuration: PoolerConfiguration; readonly gate: PoolerGate }
  | { readonly do: 'pause'; readonly operation: string; readonly term: number; readonly limitMs: number }
  | { readonly do: 'resume'; readonly configuration: PoolerConfiguration }
);

export interface PoolerDecision {
  readonly actions: readonly PoolerAction[];
  readonly reasons: readonly Reason[];
  readonly memory: PoolerMemory;
  readonly lookAgainInMs: number;
}

const idleLookMs = 1_000;

/** Compared as text: both come from the same function, so that equal ones have equal texts. */
export function isSameConfiguration(a: PoolerConfiguration | null, b: PoolerConfiguration | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function pointAt(memory: PoolerMemory, known: KnownPrimary | null): PoolerMemory {
  if (known === null) return memory;
  const { node, address, port } = known.primary;
  return { ...memory, term: Math.max(memory.term, known.term), primary: { node, address, port } };
}

interface Draft {
  readonly view: PoolerView;
  readonly memory: PoolerMemory;
  readonly ranking: readonly Sighting[];
}

function decideOpen({ view, memory, ranking }: Draft): PoolerDecision {
  // Before the first primary is confirmed, an unconfirmed one is better than no pooler at all: clients queue.
  const first = ranking.find((sighting) => sighting.topology.primary !== null)?.topology;
  const unconfirmed = memory.primary === null && first?.primary ? { term: first.term, primary: first.primary } : null;
  const pointed = pointAt(memory, writablePrimary(ranking, memory.term, view.nowMs) ?? unconfirmed);
  const { configuration, readers } = configurationOf(view, pointed, ranking);
  const next: PoolerMemory = { ...pointed, readers, configuration };
  if (configuration === null) {
    const because = view.wanted === null ? 'no database agent has sent a configuration yet' : 'no primary is known yet';
    return idle(next, 'pooler-waits', because);
  }
  const show = ranking.find(
    (sighting) => isHeard(sighting, view.nowMs) && isToServe(sighting.topology.pause, view, memory),
  );
  if (show?.topology.pause && view.process !== 'unknown') return shut(view, memory, next, show.topology.pause, show);
  if (view.process === 'running' && view.strayPause) {
    return {
      actions: [{ do: 'resume', configuration, because: ['stray-pause'] }],
      reasons: [{ code: 'stray-pause', text: 'the pooler is paused, and no operation asks for it' }],
      memory: next,
      lookAgainInMs: idleLookMs,
    };
  }
  if (view.process !== 'stopped' && isSameConfiguration(configuration, view.loaded)) {
    return idle(next, 'pooler-open', `writes go to ${next.primary?.node ?? 'nowhere'}, term ${next.term}`);
  }
  const because =
    view.process === 'stopped'
      ? 'pooler-not-running'
      : view.loaded === null
        ? 'pooler-adopted'
        : 'configuration-changed';
  return {
    actions: [{ do: 'configure', configuration, gate: 'open', because: [because] }],
    reasons: [{ code: because, text: `writes go to ${next.primary?.node ?? 'nowhere'}, term ${next.term}` }],
    memory: next,
    lookAgainInMs: idleLookMs,
  };
}

/** Is it a pause that is new to us, concerns us, and is not over by what anybody says? */
function isToServe(pause: TopologyPause | null, view: PoolerView, memory: PoolerMemory): boolean {
  if (pause === null) return false;
  if (pause.term < memory.term || pause.without.includes(view.self)) return false;
  if (memory.served.includes(pause.operation)) return false;
  return isOver(pause, { ...memory, shownBy: [] }, view) === null;
}

function shut(
  view: PoolerView,
  memory: PoolerMemory,
  pointed: PoolerMemory,
  pause: TopologyPause,
  show: Sighting,
): PoolerDecision {
  const { operation, term, limitMs } = pause;
  // A running pooler keeps its configuration: a reload would cost the drain, and resume brings the new one anyway.
  const isReady = view.process === 'running' && view.loaded !== null;
  const configuration = isReady ? memory.configuration : pointed.configuration;
  const because = ['pause-shown', `by-${show.agent}`];
  const prepare: readonly PoolerAction[] =
    isReady || configuration === null ? [] : [{ do: 'configure', configuration, gate: 'shut', because }];
  return {
    actions: [...prepare, { do: 'pause', operation, term, limitMs, because }],
    reasons: [{ code: 'pause-shown', text: `${show.agent} asks for a pause, operation ${operation}` }],
    memory: {
      ...(isReady ? memory : pointed),
      term: Math.max(memory.term, show.topology.term),
      served: [...memory.served, operation].slice(-servedKept),
      shownBy: view.sightings.filter(shows(operation)).map((sighting) => sighting.agent),
    },
    lookAgainInMs: limitMs,
  };
}

const shows =
  (operation: string) =>
  ({ topology }: Sighting): boolean =>
    topology.pause?.operation === operation;

function idle(memory: PoolerMemory, code: string, text: string): PoolerDecision {
  return { actions: [], reasons: [{ code, text }], memory, lookAgainInMs: idleLookMs };
}

function decideShut(draft: Draft, gate: Exclude<PoolerGateView, { state: 'open' }>): PoolerDecision {
  const { view, ranking } = draft;
  const seenBy = view.sightings.filter(shows(gate.operation)).map((sighting) => sighting.agent);
  const memory = { ...draft.memory, shownBy: [...new Set([...draft.memory.shownBy, ...seenBy])] };
  const limitAtMs = gate.sinceMs + gate.limitMs;
  const holdAtMs = limitAtMs + pauseHoldMs;
  const over = isOver(gate, memory, view) ?? (view.nowMs >= limitAtMs ? 'pause-limit-passed' : null);
  const known = writablePrimary(ranking, Math.max(gate.term, memory.term), view.nowMs);
  // A drain that is given up changes nothing, as long as the term it began in goes on: the primary that it was pointed
  // at is still the one. In a higher term only a confirmed primary will do (a restarted agent may drain anew here).
  const changesNothing = gate.state === 'draining' && !ranking.some(({ topology }) => topology.term > gate.term);
  const target = known ?? (changesNothing || view.nowMs >= holdAtMs ? 'last-known' : null);
  if (over !== null && target !== null) return open(draft, memory, over, target);
  const wait = over === null ? limitAtMs : holdAtMs;
  const text = over === null ? `operation ${gate.operation} goes on` : `${over}; no primary is confirmed writable`;
  const lookAgainInMs = Math.max(1, Math.min(wait - view.nowMs, idleLookMs));
  if (view.process === 'stopped' && memory.configuration !== null) {
    const { configuration } = memory;
    // The pause state died with the process; the new one must not open the gate.
    return {
      actions: [
        { do: 'configure', configuration, gate: 'shut', because: ['pooler-died-while-paused'] },
        {
          do: 'pause',
          operation: gate.operation,
          term: gate.term,
          limitMs: gate.limitMs,
          because: ['pooler-died-while-paused'],
        },
      ],
      reasons: [{ code: 'pooler-died-while-paused', text }],
      memory,
      lookAgainInMs,
    };
  }
  return { actions: [], reasons: [{ code: 'pooler-shut', text }], memory, lookAgainInMs };
}

function open(
  draft: Draft,
  memory: PoolerMemory,
  because: string,
  target: KnownPrimary | 'last-known',
): PoolerDecision {
  const best = draft.ranking.find((sighting) => sighting.topology.primary !== null)?.topology;
  const lastKnown = best?.primary ? { term: best.term, primary: best.primary } : null;
  const pointed = pointAt(memory, target === 'last-known' ? lastKnown : target);
  const { configuration, readers } = configurationOf(draft.view, pointed, draft.ranking);
  const next: PoolerMemory = { ...pointed, readers, configuration, shownBy: [] };
  if (configuration === null) return idle(next, 'pooler-waits', 'there is no configuration to open with');
  const because2 = target === 'last-known' ? [because, 'towards-last-known-primary'] : [because];
  return {
    actions:
      draft.view.process === 'stopped'
        ? [{ do: 'configure', configuration, gate: 'open', because: [...because2, 'pooler-not-running'] }]
        : [{ do: 'resume', configuration, because: because2 }],
    reasons: [{ code: because, text: `writes go to ${next.primary?.node ?? 'nowhere'}, term ${next.term}` }],
    memory: next,
    lookAgainInMs: idleLookMs,
  };
}

/** Pure; times in ms of one clock. Whoever performs the actions reports their outcome by the next view's gate. */
export function decidePooler(view: PoolerView, memory: PoolerMemory): PoolerDecision {
  const draft = { view, memory, ranking: ranked(view, memory.term) };
  return view.gate.state === 'open' ? decideOpen(draft) : decideShut(draft, view.gate);
}
