import { describe, expect, it } from 'vitest';
import { clusterView, held, operation, released, shutdownLsn, stored } from '../../../test/fixtures/view.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { OperationPhase } from '../operation.ts';
import { lostLease } from './lost-lease.ts';

const holding = (store: Partial<ClusterView['store']>): ClusterView => clusterView({ store });
const mine = holding({ lease: held('db1', 5) });
const moving = (phase: OperationPhase): Partial<ClusterView['store']> => ({ operation: stored(operation(phase)) });

describe('a lease that was held at the last look', () => {
  it.each<[string, ClusterView, unknown]>([
    ['and is somebody else’s in a higher term was lost', holding({ lease: held('db2', 6) }), { term: 5, to: 'db2' }],
    ['and is held still was not', mine, null],
    ['and went on in the next term was not', holding({ lease: held('db1', 6) }), null],
    ['and was given away was not', holding({ lease: released('db1', null, 5) }), null],
    ['and can not be read was not, for all that is known', holding({ lease: null }), null],
  ])('%s', (_, now, expected) => {
    expect(lostLease(mine, now)).toEqual(expected);
  });

  it('and moved as planned was not lost; after an undone plan it was', () => {
    const moved = { lease: held('db2', 6) };
    expect(
      lostLease(mine, holding({ ...moved, ...moving({ phase: 'handed-over', shutdownLsn, timeline: 2 }) })),
    ).toBeNull();
    expect(
      lostLease(mine, holding({ ...moved, ...moving({ phase: 'undone', reason: 'cancelled', detail: '' }) })),
    ).toEqual({ term: 5, to: 'db2' });
  });

  it('by somebody else is not this node’s to lose', () => {
    expect(lostLease(holding({ lease: held('db3', 5) }), holding({ lease: held('db2', 6) }))).toBeNull();
  });
});
