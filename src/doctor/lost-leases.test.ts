import { expect, it } from 'vitest';
import type { EventRecord } from '../events/catalogue.ts';
import { checkLostLeases } from './lost-leases.ts';

const event = (node: string, name: EventRecord['name'], minute: number): EventRecord => ({
  sequence: minute,
  at: `2026-11-21T10:0${minute}:00.000Z`,
  node,
  name,
  facts: {},
});

it('counts the leases that this node lost while it lived, and warns from the first on', () => {
  const others = [event('db1', 'agent.started', 1), event('db2', 'lease.lost', 2)];
  expect(checkLostLeases('db1', 6_000, [])).toMatchObject({ verdict: 'ok', text: 'none' });
  expect(checkLostLeases('db1', 6_000, others)).toMatchObject({
    verdict: 'ok',
    text: 'none since 2026-11-21T10:01:00.000Z',
  });
  const found = checkLostLeases('db1', 6_000, [
    ...others,
    event('db1', 'lease.lost', 3),
    event('db1', 'lease.lost', 4),
  ]);
  expect(found.verdict).toBe('warning');
  expect(found.text).toContain('2 since 2026-11-21T10:01:00.000Z, the last at 2026-11-21T10:04:00.000Z');
  expect(found.text).toContain('its lease of 6 s');
});
