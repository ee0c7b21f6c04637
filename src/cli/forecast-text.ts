/** What `status` says of the death of the primary: who takes over, how soon, and what would be lost. */
import type { DurabilitySpec } from '../core/declared-durability.ts';
import type { Forecast } from '../core/forecast.ts';
import type { AcceptedLossStatus } from '../core/status.ts';
import { bytesText, oneLine, spanText } from './words.ts';

/** `If db1 died now: ~7 s; 0 B of local commits at risk.` */
export function forecastText(forecast: Forecast, commit: DurabilitySpec['commit']): string {
  const { primary, withinMs, atRiskBytes, byAcceptance, because } = forecast;
  const begin = `If ${primary} died now:`;
  if (withinMs === null) return `${begin} nobody would take over: ${oneLine(because ?? 'why is not known')}.`;
  const risk = bytesText(atRiskBytes ?? 0);
  const soon = `~${withinMs < 60_000 ? `${Math.round(withinMs / 1_000)} s` : spanText(withinMs)}`;
  if (byAcceptance) {
    return `${begin} ${soon}, as a loss is accepted then; ${risk} at least, and what only the unheard have, at risk.`;
  }
  if (commit === 'sync') return `${begin} ${soon}; no commit at risk that waited for a standby.`;
  return `${begin} ${soon}; ${risk} of local commits at risk.`;
}

export function acceptedLossText(term: number | null, { by, lacksBytes, afterLsn }: AcceptedLossStatus): string {
  return `term ${term ?? '?'} began with a loss that ${by} accepted: at least ${bytesText(lacksBytes)}; what else was committed after ${afterLsn} is not known`;
}
