import { describe, expect, it } from 'vitest';
import type { Forecast } from '../core/forecast.ts';
import { acceptedLossText, forecastText } from './forecast-text.ts';

const good: Forecast = {
  primary: 'db1',
  takesOver: 'db2',
  withinMs: 7_060,
  atRiskBytes: 0,
  byAcceptance: false,
  because: null,
  candidates: [],
};

describe('the forecast in words', () => {
  it.each<[Partial<Forecast>, 'local' | 'sync', string]>([
    [{}, 'local', 'If db1 died now: ~7 s; 0 B of local commits at risk.'],
    [{}, 'sync', 'If db1 died now: ~7 s; no commit at risk that waited for a standby.'],
    [
      { takesOver: null, withinMs: null, atRiskBytes: null, because: 'no standby is there' },
      'local',
      'If db1 died now: nobody would take over: no standby is there.',
    ],
    [
      { byAcceptance: true, withinMs: 30_000, atRiskBytes: 100 },
      'local',
      'If db1 died now: ~30 s, as a loss is accepted then; 100 B at least, and what only the unheard have, at risk.',
    ],
  ])('%j, %s', (change, commit, expected) => {
    expect(forecastText({ ...good, ...change }, commit)).toBe(expected);
  });

  it('recalls what a term began with', () => {
    expect(acceptedLossText(7, { by: 'kim', lacksBytes: 12, afterLsn: '0/30' })).toBe(
      'term 7 began with a loss that kim accepted: at least 12 B; what else was committed after 0/30 is not known',
    );
  });
});
