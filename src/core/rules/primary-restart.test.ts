import { describe, expect, it } from 'vitest';
import { verdict } from '../../../test/fixtures/verdict.ts';
import {
  clusterView,
  memoryRenewed,
  noRequests,
  operation,
  primary,
  standby,
  stopped,
  stored,
} from '../../../test/fixtures/view.ts';
import { decide } from '../decide.ts';
import type { LocalPostgres } from '../local-postgres.ts';

const asked = { requests: { ...noRequests, restartPrimary: true } };
const decided = (postgres: LocalPostgres, change: Parameters<typeof clusterView>[0] = asked) =>
  verdict(decide(clusterView({ postgres, ...change }), memoryRenewed(10)));

describe('a primary that is to be restarted', () => {
  it('is stopped in order, and started as any that has stopped', () => {
    expect(decided(primary())).toBe('restart-primary');
    expect(decided(stopped())).toBe('start primary');
    expect(decided(primary(), {})).not.toBe('restart-primary');
  });

  it('is none while it is moved, or on a standby', () => {
    expect(decided(primary(), { ...asked, store: { operation: stored(operation({ phase: 'pausing' })) } })).not.toBe(
      'restart-primary',
    );
    expect(decided(standby())).not.toContain('restart');
  });
});
