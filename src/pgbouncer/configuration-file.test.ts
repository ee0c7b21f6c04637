import { describe, expect, it } from 'vitest';
import { plainAlias, plainConfiguration } from '../../test/fixtures/pooler-configuration.ts';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import type { PoolerAlias } from '../ports/pooler.ts';
import { type FilePlaces, renderConfiguration } from './configuration-file.ts';
import { parseVersion } from './version.ts';

const alias = (more: Partial<PoolerAlias> = {}): PoolerAlias =>
  plainAlias('shop', { addresses: ['10.0.0.1', '10.0.0.2'], poolSize: 7, ...more });

function places(version: string): FilePlaces {
  const parsed = parseVersion(`PgBouncer ${version}\nlibevent 2.1.12-stable`);
  if (parsed === null) throw new Error(version);
  const tls = { ca: '/t/ca', certificate: '/t/crt', key: '/t/key' };
  return { userlist: '/u', access: '/a', pidFile: '/p', socketDirectory: '/s', tls, version: parsed };
}

function render(
  aliases: readonly PoolerAlias[],
  version = '1.18.0',
  gate: 'open' | 'shut' = 'open',
): readonly string[] {
  return renderConfiguration(plainConfiguration(aliases), places(version), gate).split('\n');
}

describe('renderConfiguration', () => {
  it('gives one address to versions that verify a list of them as one name', () => {
    const line = (host: string) => `shop = host=${host} port=5432 dbname='shop' user='shop' pool_size=7`;
    expect(render([alias()], '1.18.0')).toContain(line('10.0.0.1'));
    expect(render([alias()], '1.24.1')).toContain(line('10.0.0.1'));
    expect(render([alias()], '1.25.0')).toContain(line('10.0.0.1,10.0.0.2'));
  });

  it('leads writing aliases nowhere while shut, and leaves reads alone', () => {
    const lines = render([alias(), alias({ name: 'shop-ro', writes: false })], '1.18.0', 'shut');
    expect(lines.find((line) => line.startsWith('shop ='))).toContain('host=/nonexistent ');
    expect(lines.find((line) => line.startsWith('shop-ro ='))).toContain('host=10.0.0.1 ');
  });

  it('keeps sessions on one node from writing, and marks them as such that nobody waits for', () => {
    const lines = render([alias({ name: 'shop.db1', addresses: ['10.0.0.1'], writes: false, ofOneNode: true })]);
    expect(lines).toContain(
      "shop.db1 = host=10.0.0.1 port=5432 dbname='shop' user='shop' pool_size=7 pool_mode=transaction " +
        "connect_query='set default_transaction_read_only to on; select pg_try_advisory_lock_shared(1970169971, 1)'",
    );
  });

  it('verifies the server fully, and has no password anywhere', () => {
    const lines = render([alias()]);
    expect(lines).toContain('server_tls_sslmode = verify-full');
    expect(lines).toContain('auth_type = hba');
    expect(lines.join('\n')).not.toContain('password');
  });

  it('follows prepared statements where the version can', () => {
    expect(render([alias()], '1.20.1').join()).not.toContain('max_prepared_statements');
    expect(render([alias()], '1.21.0')).toContain('max_prepared_statements = 200');
  });

  it('quotes names of databases, and refuses what pgbouncer would read otherwise', () => {
    expect(render([alias({ database: "o'brien" })]).join('\n')).toContain("dbname='o''brien'");
    for (const broken of [alias({ name: 'a b' }), alias({ name: 'pgbouncer' }), alias({ database: 'x\nhost=y' })]) {
      let error: unknown;
      try {
        render([broken]);
      } catch (caught) {
        error = caught;
      }
      expect(isUnderstudyError(error, 'CONFIG_INVALID')).toBe(true);
    }
  });
});
