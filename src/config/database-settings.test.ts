/** What a database can't have of its own is refused in the file, at its place and with a word on why. */
import { expect, it } from 'vitest';
import { issues, minimal } from '../../test/fixtures/cluster-text.ts';

it.each([
  ['is_superuser: true', 'says who somebody is'],
  ['allow_system_table_mods: true', `is for repairs of the system's own tables`],
  ['seed: 0.5', `is a session's own start`],
  ['DYNAMIC_library_path: x', 'decides whose code the server runs'],
  ['transaction_read_only: true', `is of one transaction. What sessions begin with has the same name with 'default_'`],
  ['lo_compat_privileges: true', 'lets everybody read and write every large object'],
  ['max_connections: 5', 'is one value for the whole server. Under postgres.parameters'],
  ['autovacuum_naptime: 5', 'is one value for the whole server. Under postgres.parameters'],
  ['log_connections: true', 'is settled before it is known'],
  ['server_version: 15', 'is what the server tells of itself'],
  ['search_path: "\\a"', "'\\u0007' has control characters"],
  ['search_path: "a\\x1b[2Jb"', "'a\\u001b[2Jb' has control characters"],
  ['search_path: "\\x7f"', "'\\u007f' has control characters"],
])('setting %s', (setting, problem) => {
  const [first = '', ...more] = issues(minimal.replace('shop: keeper', `shop: { settings: { ${setting} } }`));
  const [, name = ''] = /^(\w+)/.exec(setting) ?? [];
  expect(first).toMatch(/^c\.yaml:8:\d+ /);
  expect(first).toContain(` databases.shop.settings.${name}: ${problem}`);
  expect(more).toEqual([]);
});

it("may have a tab in it, and what is a database's own", () => {
  const settings =
    'log_min_duration_statement: "5\\t", work_mem: 64MB, statement_timeout: 30s, default_transaction_read_only: on';
  expect(issues(minimal.replace('shop: keeper', `shop: { settings: { ${settings} } }`))).toEqual([]);
});

it('has each extension once', () => {
  expect(issues(minimal.replace('shop: keeper', 'shop: { extensions: [pg_trgm, citext, pg_trgm] }'))).toEqual([
    `c.yaml:8:52 databases.shop.extensions.2: 'pg_trgm' is there twice. Each extension once`,
  ]);
});
