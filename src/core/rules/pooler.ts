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
import type { TopologyPause } from '@understudy/client/topology';
import { isSameConfiguration } from '../pooler-configuration.ts';
import { isThere, knockWhileOpen } from './outage.ts';
import { configurationOf } from './pooler-aliases.ts';
import {
  type Draft,
  decided,
  idleLookMs,
  lastKnownPrimary,
  type PoolerAction,
  type PoolerDecision,
  pointAt,
} from './pooler-decision.ts';
import { endsAtMs, limitAtMs } from './pooler-gate.ts';
import { decideHeld, decideHold } from './pooler-hold.ts';
import type { PoolerMemory, PoolerView, ShutGate, Sighting } from './pooler-memory.ts';
import { isHeard, isOver, isReadOnlyDeclared, type KnownPrimary, ranked, writablePrimary } from './sightings.ts';

/** How many operations that were served are remembered; one lasts seconds, and a message arrives late by less. */
const servedKept = 16;

function decideOpen(draft: Draft): PoolerDecision {
  const { view, memory, ranking } = draft;
  // Before the first primary is confirmed, an unconfirmed one is better than no pooler at all: clients queue.
  const unconfirmed = memory.primary === null ? lastKnownPrimary(ranking) : null;
  const pointed = pointAt(memory, writablePrimary(ranking, memory.term, view.nowMs) ?? unconfirmed);
  const { configuration, readers } = configurationOf(view, pointed, ranking);
  const heldOutTerm = isThere(view, ranking) ? null : pointed.heldOutTerm;
  const next: PoolerMemory = { ...pointed, readers, configuration, heldOutTerm };
  if (configuration === null) {
    const because = view.wanted === null ? 'no database agent has sent a configuration yet' : 'no primary is known yet';
    return idle(draft, next, 'pooler-waits', because);
  }
  const show = ranking.find(
    (sighting) => isHeard(sighting, view.nowMs) && isToServe(sighting.topology.pause, view, memory),
  );
  if (show?.topology.pause && view.process !== 'unknown') return shut(draft, next, show.topology.pause, show);
  const held = decideHold(draft, next);
  if (held !== null) return held;
  if (view.process === 'running' && view.strayPause) {
    const text = 'the pooler is paused, and no operation asks for it';
    return decided(draft, next, [{ do: 'resume', configuration, because: ['stray-pause'] }], {
      code: 'stray-pause',
      text,
    });
  }
  const text = `writes go to ${next.primary?.node ?? 'nowhere'}, term ${next.term}`;
  if (view.process !== 'stopped' && isSameConfiguration(configuration, view.loaded)) {
    return idle(draft, next, 'pooler-open', text);
  }
  const because =
    view.process === 'stopped'
      ? 'pooler-not-running'
      : view.loaded === null
        ? 'pooler-adopted'
        : 'configuration-changed';
  return decided(draft, next, [{ do: 'configure', configuration, gate: 'open', because: [because] }], {
    code: because,
    text,
  });
}

/** Is it a pause that is new to us, concerns us, and is not over by what anybody says? */
function isToServe(pause: TopologyPause | null, view: PoolerView, memory: PoolerMemory): boolean {
  if (pause === null) return false;
  if (pause.term < memory.term || pause.without.includes(view.self)) return false;
  if (memory.served.includes(pause.operation)) return false;
  return isOver(pause, { ...memory, shownBy: [] }, view) === null;
}

function shut(draft: Draft, pointed: PoolerMemory, pause: TopologyPause, show: Sighting): PoolerDecision {
  const { view, memory } = draft;
  const { operation, term, limitMs } = pause;
  // A running pooler keeps its configuration: a reload would cost the drain, and resume brings the new one anyway.
  const isReady = view.process === 'running' && view.loaded !== null;
  const configuration = isReady ? memory.configuration : pointed.configuration;
  const because = ['pause-shown', `by-${show.agent}`];
  const prepare: readonly PoolerAction[] =
    isReady || configuration === null ? [] : [{ do: 'configure', configuration, gate: 'shut', because }];
  const next: PoolerMemory = {
    ...(isReady ? memory : pointed),
    term: Math.max(memory.term, show.topology.term),
    served: [...memory.served, operation].slice(-servedKept),
    shownBy: view.sightings.filter(shows(operation)).map((sighting) => sighting.agent),
  };
  const reason = { code: 'pause-shown', text: `${show.agent} asks for a pause, operation ${operation}` };
  return decided(draft, next, [...prepare, { do: 'pause', operation, term, limitMs, because }], reason, limitMs);
}

const shows =
  (operation: string) =>
  ({ topology }: Sighting): boolean =>
    topology.pause?.operation === operation;

function idle(draft: Draft, memory: PoolerMemory, code: string, text: string): PoolerDecision {
  return decided(draft, memory, [], { code, text });
}

function decideShut(draft: Draft, gate: ShutGate): PoolerDecision {
  const { view, ranking } = draft;
  const seenBy = view.sightings.filter(shows(gate.operation)).map((sighting) => sighting.agent);
  const memory = { ...draft.memory, shownBy: [...new Set([...draft.memory.shownBy, ...seenBy])] };
  const overAtMs = limitAtMs(gate);
  const holdAtMs = endsAtMs(gate);
  const over = isOver(gate, memory, view) ?? (view.nowMs >= overAtMs ? 'pause-limit-passed' : null);
  const known = writablePrimary(ranking, Math.max(gate.term, memory.term), view.nowMs);
  // A drain that is given up changes nothing, as long as the term it began in goes on: the primary that it was pointed
  // at is still the one. In a higher term only a confirmed primary will do (a restarted agent may drain anew here).
  const changesNothing = gate.state === 'draining' && !ranking.some(({ topology }) => topology.term > gate.term);
  const target = known ?? (changesNothing || view.nowMs >= holdAtMs ? 'last-known' : null);
  if (over !== null && target !== null) return open(draft, memory, over, target);
  const wait = over === null ? overAtMs : holdAtMs;
  const text = over === null ? `operation ${gate.operation} goes on` : `${over}; no primary is confirmed writable`;
  const lookAgainInMs = Math.max(1, Math.min(wait - view.nowMs, idleLookMs));
  if (view.process === 'stopped' && memory.configuration !== null) {
    const { configuration } = memory;
    // The pause state died with the process; the new one must not open the gate.
    const because = ['pooler-died-while-paused'];
    const { operation, term, limitMs } = gate;
    return decided(
      draft,
      memory,
      [
        { do: 'configure', configuration, gate: 'shut', because },
        { do: 'pause', operation, term, limitMs, because },
      ],
      { code: 'pooler-died-while-paused', text },
      lookAgainInMs,
    );
  }
  return decided(draft, memory, [], { code: 'pooler-shut', text }, lookAgainInMs);
}

function open(
  draft: Draft,
  memory: PoolerMemory,
  because: string,
  target: KnownPrimary | 'last-known',
): PoolerDecision {
  const pointed = pointAt(memory, target === 'last-known' ? lastKnownPrimary(draft.ranking) : target);
  const { configuration, readers } = configurationOf(draft.view, pointed, draft.ranking);
  const next: PoolerMemory = { ...pointed, readers, configuration, shownBy: [] };
  if (configuration === null) return idle(draft, next, 'pooler-waits', 'there is no configuration to open with');
  const because2 = target === 'last-known' ? [because, 'towards-last-known-primary'] : [because];
  const action: PoolerAction =
    draft.view.process === 'stopped'
      ? { do: 'configure', configuration, gate: 'open', because: [...because2, 'pooler-not-running'] }
      : { do: 'resume', configuration, because: because2 };
  const text = `writes go to ${next.primary?.node ?? 'nowhere'}, term ${next.term}`;
  return decided(draft, next, [action], { code: because, text });
}

/** Pure; times in ms of one clock. Whoever performs the actions reports their outcome by the next view's gate. */
export function decidePooler(view: PoolerView, memory: PoolerMemory): PoolerDecision {
  const ranking = ranked(view, memory.term);
  const readOnly = isReadOnlyDeclared(ranking, view.nowMs) ?? memory.readOnly;
  const draft: Draft = { view, memory: { ...memory, readOnly }, ranking, knock: null };
  const { gate } = view;
  if (gate.state === 'held') return decideHeld(draft, gate);
  if (gate.state !== 'open') return decideShut(draft, gate);
  const [knock, lateInMs] = knockWhileOpen(view, draft.ranking);
  const decision = decideOpen({ ...draft, knock });
  const lookAgainInMs = lateInMs === null ? decision.lookAgainInMs : Math.min(decision.lookAgainInMs, lateInMs);
  return { ...decision, lookAgainInMs: Math.max(1, lookAgainInMs) };
}
