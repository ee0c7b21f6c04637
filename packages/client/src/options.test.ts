import { describe, expect, it } from 'vitest';
import { OptionError } from './errors.ts';
import { type ClusterPoolOptions, checkedConsistency, settingsOf } from './options.ts';
import { configsOf } from './server-configs.ts';

const ofNoType = (json: string): ClusterPoolOptions => JSON.parse(json);

describe('options', () => {
  it.each([
    '{"router":"round robin"}',
    '{"router":{}}',
    '{"outcomeTable":5}',
    '{"datacenter":""}',
    '{"application":7}',
    '{"topologySocket":7}',
    '{"consistency":{}}',
    '{"consistency":{"pinforms":5}}',
    '{"onReadOnly":"drop"}',
    '{"probeEveryMs":0}',
    '{"maxLagBytes":-1}',
    '{"deadlineMs":null}',
  ])('of %s are refused', (json) => expect(() => settingsOf(ofNoType(json))).toThrow(OptionError));

  it('bound lag by any number of bytes, and time by what a timer can hold', () => {
    const settings = settingsOf({ maxLagBytes: 2 ** 40, deadlineMs: 2 ** 40, probeEveryMs: 2 ** 40 });
    expect(settings).toMatchObject({ maxLagBytes: 2 ** 40, deadlineMs: 2 ** 31 - 1, probeEveryMs: 2 ** 31 - 1 });
    expect(checkedConsistency({ pinForMs: 5 })).toEqual({ pinForMs: 5 });
  });
});

describe('servers', () => {
  it.each(['{"a":5}', '{"a":null}', '{"a":{"guard":"start-up"}}', '{"primary":{}}', '{"":{}}'])(
    'of %s are refused',
    (json) => expect(() => configsOf({ replicas: JSON.parse(json) })).toThrow(OptionError),
  );

  it('have of the pool what they do not say, also by URLs', () => {
    const { servers } = configsOf({
      connectionString: 'postgres://me:secret@one:7000/shop?application_name=web',
      replicas: {
        by: 'postgresql://two?options=-c%20a%3Db',
        other: 'postgres://you:known@three:7001/past',
        host: { host: 'four' },
      },
    });
    const mine = { user: 'me', password: 'secret', database: 'shop', application_name: 'web' };
    expect(servers.map(({ pool }) => pool)).toEqual([
      expect.objectContaining({ ...mine, host: 'two', port: 5432, options: '-c a=b' }),
      expect.objectContaining({ user: 'you', password: 'known', host: 'three', port: 7001, database: 'past' }),
      expect.objectContaining({ ...mine, host: 'four', port: 7000 }),
    ]);
    for (const { pool } of servers) expect(pool).not.toHaveProperty('connectionString');
  });
});
