import { expect, it } from 'vitest';
import { type Restartable, restartCommands } from './restart-commands.ts';

const node = (name: string, change: Partial<Restartable> = {}): Restartable => ({
  ...{ name, role: 'database', failover: 'allowed', waits: true },
  ...change,
});

it.each<[string, readonly Restartable[], string]>([
  ['of its own where it is alone', [node('db1')], 'understudy restart db1'],
  [
    'of its own where nobody else may be primary',
    [node('db1'), node('db2', { failover: 'never' }), node('app1', { role: 'app' })],
    'understudy restart db1',
  ],
  ['by a switchover to who waits no more', [node('db1'), node('db2', { waits: false })], 'understudy switchover'],
  [
    'by a switchover to who was restarted first',
    [node('db1'), node('db2'), node('db3')],
    'understudy restart db2, then understudy switchover --to db2',
  ],
])('a primary is restarted %s', (_, nodes, commands) => {
  expect(restartCommands(nodes, 'db1', 'db1')).toBe(commands);
});

it('a standby is restarted by itself, whoever waits as well', () => {
  expect(restartCommands([node('db1'), node('db2')], 'db2', 'db1')).toBe('understudy restart db2');
  expect(restartCommands([node('db1'), node('db2')], 'db2', null)).toBe('understudy restart db2');
});
