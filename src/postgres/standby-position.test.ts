/** A standby claims a position only where its figures prove it. */
import { describe, expect, it } from 'vitest';
import { lsnFromOffset } from '../core/lsn.ts';
import type { PositionFacts } from './facts.ts';
import { receivedPosition, replayLagS, walEnd } from './standby-position.ts';

const earlier = lsnFromOffset(0x3000000n);
const later = lsnFromOffset(0x3000060n);

function facts(those: Partial<PositionFacts>): PositionFacts {
  return {
    recovery: true,
    insert_lsn: null,
    insert_timeline: null,
    received_lsn: later,
    replayed_lsn: earlier,
    replay_paused: false,
    replay_age_s: 4,
    receiver_status: 'streaming',
    receiver_timeline: 1,
    reads_archive: false,
    primary_conninfo: '',
    sync_names: '',
    startup_wait: null,
    ...those,
  };
}

describe('the received position', () => {
  it('is none behind replay: the start of a segment, as a new receiver shows it', () => {
    expect(receivedPosition(facts({}))).toBe(later);
    expect(receivedPosition(facts({ received_lsn: earlier, replayed_lsn: later }))).toBeNull();
  });
});

describe('the end of WAL', () => {
  it('is what was received past replay, with or without a receiver', () => {
    expect(walEnd(facts({}), earlier)).toBe(later);
    expect(walEnd(facts({ receiver_status: null }), earlier)).toBe(later);
  });

  it('is the replay position only once local WAL is exhausted', () => {
    const restarted = { received_lsn: null, receiver_status: null };
    expect(walEnd(facts(restarted), earlier)).toBeNull();
    expect(walEnd(facts({ ...restarted, startup_wait: 'RecoveryRetrieveRetryInterval' }), earlier)).toBe(earlier);
    expect(walEnd(facts({ received_lsn: null, receiver_status: 'waiting' }), earlier)).toBe(earlier);
  });
});

describe('the lag of replay', () => {
  it('is told of a stream alone, and is nothing when all is replayed', () => {
    expect(replayLagS(facts({}))).toBe(4);
    expect(replayLagS(facts({ received_lsn: earlier }))).toBe(0);
    expect(replayLagS(facts({ replay_age_s: null }))).toBeNull();
    expect(replayLagS(facts({ receiver_status: null }))).toBeNull();
  });
});
