/**
 * Holding the writers of a pooler while nobody may write: they wait instead of failing, and are served the moment that a
 * primary accepts writes.
 *
 *   open ──nobody writes──► held ──a writable primary──► open
 *                             └──────limit passed──────► open, towards the last known primary
 *
 * Invariants: a hold ends at its limit, whoever is heard or not, and the same loss is not held again; it is left only
 * towards a primary that is confirmed writable, in a higher term or reachable from here. Others repeat for seconds that a
 * dead primary is writable, so in the same term their word alone opens nothing.
 */
import { isSameConfiguration, type PoolerConfiguration } from '../pooler-configuration.ts';
import { knockWhileHeldMs, reachOf, whyNobodyWrites } from './outage.ts';
import { configurationOf } from './pooler-aliases.ts';
import { type Draft, decided, idleLookMs, lastKnownPrimary, type PoolerDecision, pointAt } from './pooler-decision.ts';
import { limitAtMs } from './pooler-gate.ts';
import type { HeldGate, PoolerMemory } from './pooler-memory.ts';
import { type KnownPrimary, writablePrimary } from './sightings.ts';

/** Clients get an error by themselves after `query_wait_timeout`: none waits for longer than that. */
function holdLimitMs(configuration: PoolerConfiguration): number {
  return configuration.queryWaitTimeoutS * 1_000;
}

/** `null`: there is nothing to hold for, or it was held for long enough. */
export function decideHold(draft: Draft, memory: PoolerMemory): PoolerDecision | null {
  const { view, ranking } = draft;
  const { configuration } = memory;
  if (view.process !== 'running' || view.loaded === null || configuration === null) return null;
  const lost = whyNobodyWrites(view, draft.memory, ranking);
  const heldOut = memory.heldOutTerm;
  if (lost === null || (heldOut !== null && (ranking[0]?.topology.term ?? 0) <= heldOut)) return null;
  const { term } = draft.memory;
  const limitMs = holdLimitMs(configuration);
  const [next, held] = heldConfiguration(draft, memory, configuration);
  return decided(draft, next, [{ do: 'hold', configuration: held, term, limitMs, because: [lost.code] }], lost);
}

/** Applications that would rather read meanwhile are led to a standby. */
function heldConfiguration(
  { view, ranking }: Draft,
  memory: PoolerMemory,
  last: PoolerConfiguration,
): readonly [PoolerMemory, PoolerConfiguration] {
  const { configuration, readers } = configurationOf(view, memory, ranking, true);
  const held = configuration ?? last;
  return [{ ...memory, readers, configuration: held }, held];
}

export function decideHeld(draft: Draft, gate: HeldGate): PoolerDecision {
  const { view, memory, ranking } = draft;
  const known = writablePrimary(ranking, Math.max(gate.term, memory.term), view.nowMs);
  if (known !== null && isReachable(draft, gate, known)) return open(draft, known, memory, 'primary-writable');
  const overAtMs = limitAtMs(gate);
  if (view.nowMs >= overAtMs) {
    const heldOut = { ...memory, heldOutTerm: Math.max(gate.term, ranking[0]?.topology.term ?? 0) };
    return open(draft, lastKnownPrimary(ranking), heldOut, 'hold-limit-passed');
  }
  const knock = known === null ? null : { ...at(known), everyMs: knockWhileHeldMs };
  const asking: Draft = { ...draft, knock };
  const lookAgainInMs = Math.max(1, Math.min(overAtMs - view.nowMs, idleLookMs));
  const reason = { code: 'pooler-held', text: 'nobody accepts writes: writers wait' };
  if (memory.configuration === null) return decided(asking, memory, [], reason, lookAgainInMs);
  const { term, limitMs } = gate;
  const [next, configuration] = heldConfiguration(draft, memory, memory.configuration);
  if (view.process !== 'stopped') {
    // A standby that served readers may be gone, or another has come.
    const isChanged = view.loaded !== null && !isSameConfiguration(configuration, view.loaded);
    const again = { do: 'hold', configuration, term, limitMs, because: ['configuration-changed'] } as const;
    return decided(asking, next, isChanged ? [again] : [], reason, lookAgainInMs);
  }
  // The pause state died with the process; the new one must not let writers run into a server that is not there.
  const because = ['pooler-died-while-held'];
  return decided(
    asking,
    next,
    [
      { do: 'configure', configuration, gate: 'shut', because },
      { do: 'hold', configuration, term, limitMs, because },
    ],
    reason,
    lookAgainInMs,
  );
}

function at({ primary: { address, port } }: KnownPrimary): { readonly address: string; readonly port: number } {
  return { address, port };
}

function isReachable({ view }: Draft, gate: HeldGate, known: KnownPrimary): boolean {
  if (known.term > gate.term) return true;
  const reach = reachOf(view, known.primary);
  return reach !== null && reach.answer === 'answers' && reach.atMs >= gate.sinceMs;
}

function open(draft: Draft, known: KnownPrimary | null, memory: PoolerMemory, because: string): PoolerDecision {
  const pointed = pointAt(memory, known);
  const { configuration, readers } = configurationOf(draft.view, pointed, draft.ranking);
  const next: PoolerMemory = { ...pointed, readers, configuration };
  const text = `writes go to ${next.primary?.node ?? 'nowhere'}, term ${next.term}`;
  if (configuration === null) return decided(draft, next, [], { code: because, text });
  const action =
    draft.view.process === 'stopped'
      ? ({ do: 'configure', configuration, gate: 'open', because: [because, 'pooler-not-running'] } as const)
      : ({ do: 'resume', configuration, because: [because] } as const);
  return decided(draft, next, [action], { code: because, text });
}
