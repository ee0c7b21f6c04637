/** An agent that came back settles what its predecessor may have written before it sets what the server waits for. */
import { describe, expect, it } from 'vitest';
import { clusterView, memoryRenewed, primary, stopped, stored, term } from '../../../test/fixtures/view.ts';
import { decide } from '../decide.ts';
import type { LocalPostgres } from '../local-postgres.ts';

const durability = stored({ term, standbys: ['db2', 'db3'], k: 1 });
/** The record could go on to this at any moment, as long as the server demands no less. */
const inForce = { standbys: ['db2'], k: 1 };

const actionsOf = (postgres: LocalPostgres, settled: boolean) => {
  const memory = { ...memoryRenewed(10), durabilityWritten: settled ? term : null };
  return decide(clusterView({ postgres, store: { durability } }), memory).actions;
};
const names = (postgres: LocalPostgres, settled: boolean) => actionsOf(postgres, settled).map((action) => action.do);

describe('a restarted holder', () => {
  it('rewrites the record before it starts PostgreSQL', () => {
    expect(names(stopped(), false)).toContain('write-durability');
    expect(names(stopped(), false)).not.toContain('start');
    expect(names(stopped(), true)).toContain('start');
  });

  it('rewrites the record before it configures a running server, and leaves whom that waits for as it is', () => {
    const running = primary({ syncSet: inForce });
    expect(names(running, false)).toContain('write-durability');
    expect(names(running, false)).not.toContain('configure');
    expect(actionsOf(running, true).find((action) => action.do === 'configure')).toMatchObject({ sync: inForce });
  });

  it('sets what the record demands where somebody set it by hand', () => {
    const configure = actionsOf(primary({ syncSet: null }), true).find((action) => action.do === 'configure');
    expect(configure).toMatchObject({ sync: { standbys: ['db2', 'db3'], k: 1 } });
  });
});
