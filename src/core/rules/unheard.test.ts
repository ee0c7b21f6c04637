/** An election that hears too few, as db2 decides it: db3 is gone with db1, and either may have acknowledged. */
import { describe, expect, it } from 'vitest';
import { spec3, storedSpec } from '../../../test/fixtures/spec.ts';
import { acts } from '../../../test/fixtures/verdict.ts';
import { alone, clusterView, freeAfterMs, memoryOfAMinute, nowMs, stored } from '../../../test/fixtures/view.ts';
import type { AcceptedLoss } from '../accepted-loss.ts';
import type { StoreView } from '../cluster-view.ts';
import { decide } from '../decide.ts';
import { defaultDurability } from '../declared-durability.ts';
import { type DatabaseMemory, learn } from '../memory.ts';

const afterMs = 60_000;
const declared = { durability: { ...defaultDurability, acceptLossAfterMs: afterMs } };
const own = stored({
  node: 'db2',
  term: 6,
  timeline: 1,
  lsn: '0/3000100',
  bootId: 'boot-1',
  priority: 100,
  unfit: null,
});
const loss: AcceptedLoss = { term: 6, counter: 9, to: null, covers: 'unheard', by: 'the declaration', at: '' };

/** What is decided so long after the lease was last seen to change; every look in between found it unchanged. */
function decided(elapsedMs: number, store: Partial<StoreView> = {}, spec = spec3(declared)) {
  const at = nowMs + elapsedMs;
  const view = (now: number) =>
    clusterView({
      self: 'db2',
      nowMs: now,
      postgres: alone(),
      promise: { kind: 'cut', term: 6 },
      store: {
        spec: storedSpec(spec),
        durability: stored({ term: 5, standbys: ['db2', 'db3'], k: 1 }, 30),
        ballots: new Map([['6/db2', own]]),
        ...store,
        confirmedAtMs: now,
      },
    });
  let memory: DatabaseMemory = decide(view(nowMs), memoryOfAMinute()).memory;
  memory = learn(memory, { kind: 'ballot-written', term: 6, key: JSON.stringify(own.value), atMs: nowMs });
  const key = memory.leaseWatch?.key ?? '';
  return decide(view(at), learn(memory, { kind: 'lease-looked', key, atMs: at }));
}

describe('an election that hears too few', () => {
  it('says who would take over, and when', () => {
    const { reasons, actions } = decided(freeAfterMs + 5_000);
    expect(acts({ actions })).toEqual([]);
    expect(reasons).toMatchObject([
      {
        code: 'no-winner',
        text: 'nobody can be elected for term 6 yet; not heard: db3; in 55 s db2 takes over without what they may have',
      },
    ]);
  });

  it('accepts the loss when the declared time is over, and not before', () => {
    expect(acts(decided(freeAfterMs + afterMs - 1))).toEqual([]);
    expect(acts(decided(freeAfterMs + afterMs))).toMatchObject([
      { do: 'accept-loss', loss: { term: 6, counter: 9, covers: 'unheard', by: 'the declaration' }, replaces: null },
    ]);
  });

  it('waits for ever where nothing is declared', () => {
    const { reasons, actions } = decided(100 * afterMs, {}, spec3());
    expect(acts({ actions })).toEqual([]);
    expect(reasons[0]?.text).toBe('nobody can be elected for term 6 yet; not heard: db3');
  });

  it('is won by the record, which the winner compares', () => {
    expect(acts(decided(freeAfterMs + afterMs, { acceptedLoss: stored(loss, 50) }))).toMatchObject([
      { do: 'take-lease', accepted: { revision: 50, value: loss, lacksBytes: 0 } },
    ]);
  });

  it('takes no notice of a record of another term, or of a primary that came back since', () => {
    for (const stale of [{ term: 5 }, { counter: 8 }]) {
      const acceptedLoss = stored({ ...loss, ...stale }, 50);
      expect(acts(decided(freeAfterMs, { acceptedLoss }))).toEqual([]);
      expect(acts(decided(freeAfterMs + afterMs, { acceptedLoss }))).toMatchObject([
        { do: 'accept-loss', replaces: { revision: 50 } },
      ]);
    }
  });

  it('accepts no more than the loss limit', () => {
    const renewal = stored({ term: 5, counter: 9, written: { timeline: 1, lsn: '0/3000200' } }, 41);
    const limited = spec3({ ...declared, failover: { lossLimitBytes: 0xff } });
    const tooMuch = decided(freeAfterMs + afterMs, { renewal }, limited);
    expect(acts(tooMuch)).toEqual([]);
    expect(tooMuch.refused.map(({ text }) => text)).toEqual([
      'lacks at least 256 bytes of what db1 wrote; the declared limit is 255',
    ]);
    const bearable = spec3({ ...declared, failover: { lossLimitBytes: 0x100 } });
    expect(acts(decided(freeAfterMs + afterMs, { renewal }, bearable))).toMatchObject([{ do: 'accept-loss' }]);
  });
});
