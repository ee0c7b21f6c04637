import { describe, expect, it } from 'vitest';
import { spec2, specOf, storedSpec } from '../../test/fixtures/spec.ts';
import { held, stored } from '../../test/fixtures/view.ts';
import { defaultBackups } from '../core/backups-spec.ts';
import type { LocalPostgres } from '../core/local-postgres.ts';
import { type OrderedNode, orderOfNode } from './node-orders.ts';

const handsOff = stored({ by: 'kim', at: '2026-11-20T00:00:00Z', forMs: 1, leftMs: 1 });

function db1(change: Partial<OrderedNode['mirror']['image']> = {}, state: LocalPostgres['state'] | null = 'standby') {
  const done: unknown[] = [];
  const agent: OrderedNode = {
    node: 'db1',
    mirror: { image: { lease: held('db2'), handsOff: null, spec: null, ...change } },
    latest: state === null ? null : { view: { postgres: { state } } },
    request: (wanted) => void done.push(wanted),
    requests: { driving: null, cancelOperation: null, reinit: false, restart: false, restartPrimary: false },
    emit: (event, facts) => void done.push([event, facts]),
  };
  return { agent, done };
}

const both = storedSpec(spec2());
const ordered = { what: 'restart', stopsWrites: true } as const;
const alone = { lease: held('db1'), spec: storedSpec(specOf(['db1'])) };
const orders = { reinit: { what: 'reinit', from: undefined }, restart: { what: 'restart' } } as const;

describe('an order to one node', () => {
  it.each([
    ['reinit', 'a new clone'],
    ['restart', 'a restart'],
  ] as const)('to %s is handed to the loop, and told', (what, words) => {
    const { agent, done } = db1();
    expect(orderOfNode(agent, orders[what], false, 'kim')).toEqual({
      accepted: true,
      because: `db1 was asked for ${words}`,
    });
    expect(done).toMatchObject([{ [what]: true }, ['request.accepted', { by: 'kim', node: 'db1', what: words }]]);
  });

  it.each([
    ['while hands are off', db1({ handsOff }), false, 'understudy hands-off'],
    ['by the primary', db1({ lease: held('db1'), spec: both }), false, 'db1 is the primary'],
    ['by a primary of which no spec is known', db1({ lease: held('db1') }), false, 'db1 is the primary'],
    ['by a witness', db1(), true, 'it has no PostgreSQL'],
    ['before its server runs as a standby', db1({}, 'starting'), false, 'PostgreSQL on db1 is starting'],
    ['before the first look at its server', db1({}, null), false, 'PostgreSQL on db1 is unknown'],
  ] as const)('to restart is not taken %s', (_, { agent, done }, isWitness, because) => {
    expect(orderOfNode(agent, orders.restart, isWitness, 'kim')).toEqual({
      accepted: false,
      because: expect.stringContaining(because),
    });
    expect(done).toEqual([]);
  });

  it('for a new clone contradicts none that has not ended', () => {
    const { agent, done } = db1();
    const asked = { ...agent, requests: { ...agent.requests, reinit: true, reinitFrom: 'primary' as const } };
    const order = (from?: 'backups' | 'primary') => orderOfNode(asked, { what: 'reinit', from }, false, 'kim');
    for (const from of ['backups', undefined] as const) {
      expect(order(from)).toEqual({
        accepted: false,
        because: expect.stringContaining('from the primary, which has not'),
      });
    }
    expect(done).toEqual([]);
    expect(order('primary')).toMatchObject({ accepted: true });
  });

  it('for a new clone from the backups is handed on, where there are any', () => {
    const order = { what: 'reinit', from: 'backups' } as const;
    const none = db1();
    expect(orderOfNode(none.agent, order, false, 'kim')).toMatchObject({
      accepted: false,
      because: expect.stringContaining('no backups are declared'),
    });
    expect(none.done).toEqual([]);
    const backups = { ...defaultBackups, to: { kind: 'directory', path: '/srv/backups' } } as const;
    const { agent, done } = db1({ spec: storedSpec(spec2({ backups })) });
    expect(orderOfNode(agent, order, false, 'kim').accepted).toBe(true);
    expect(done[0]).toEqual({ reinit: true, reinitFrom: 'backups' });
  });

  it('for a new clone is taken whatever state the server is in', () => {
    expect(orderOfNode(db1({}, null).agent, orders.reinit, false, 'kim').accepted).toBe(true);
  });

  it('to restart is taken by a primary that nobody can relieve, once it is said that nobody may write', () => {
    const { agent, done } = db1(alone, 'primary');
    const because = expect.stringContaining('not said that nobody may write');
    expect(orderOfNode(agent, orders.restart, false, 'kim')).toEqual({ accepted: false, because });
    expect(done).toEqual([]);
    expect(orderOfNode(agent, ordered, false, 'kim')).toMatchObject({ accepted: true });
    expect(done[0]).toEqual({ restartPrimary: true });
  });

  it.each([
    ['another node may be primary', db1({ lease: held('db1'), spec: both }, 'primary'), ordered, 'switchover'],
    ['it is to be cloned', db1(alone, 'primary'), orders.reinit, 'switchover'],
    ['its server does not run', db1(alone, 'stopped'), ordered, 'is stopped'],
  ] as const)('is not taken by a primary where %s', (_, { agent, done }, order, because) => {
    expect(orderOfNode(agent, order, false, 'kim')).toEqual({
      accepted: false,
      because: expect.stringContaining(because),
    });
    expect(done).toEqual([]);
  });
});
