import { expect, it } from 'vitest';
import { issues, minimal } from '../../test/fixtures/cluster-text.ts';

it.each([
  ['{ user: eve, database: shop, from: 0.0.0.0/0 }', '0.from', 'is no address and no network'],
  [
    '{ user: eve, database: shop, from: 10.0.9.0/24, method: trust }',
    '0.method',
    "Write 'scram-sha-256' or 'cert' or 'peer'",
  ],
  [
    '{ user: eve, database: shop, from: 10.0.9.7, method: md5 }',
    '0.method',
    "Write 'scram-sha-256' or 'cert' or 'peer'",
  ],
  ['{ user: eve, database: shop, from: 10.0.9.7, method: peer }', '0.method', 'is for the socket alone'],
  ['{ user: eve, database: shop, method: cert }', '0.method', 'cert is for connections over TLS'],
  ['{ user: postgres, database: shop, from: 10.0.9.7 }', '0.user', "'postgres' is reserved"],
  ['{ user: all, database: shop, from: 10.0.9.7 }', '0.user', "'all' is reserved"],
  ['{ user: eve, database: replication, from: 10.0.9.7 }', '0.database', "'replication' is reserved"],
  ['{ user: eve, database: wiki, from: 10.0.9.7 }', '0.database', "names the database 'wiki', which is not"],
  ['{ user: eve, database: shop, type: host }', '0.type', 'this key is not known'],
])('rule of access %s', (rule, place, mistake) => {
  const [issue = '', ...more] = issues(minimal.replace('postgres: 17', `postgres: { version: 17, hba: [${rule}] }`));
  expect(more).toEqual([]);
  expect(issue).toMatch(/^c\.yaml:7:\d+ /);
  expect(issue).toContain(`postgres.hba.${place}: `);
  expect(issue).toContain(mistake);
});
