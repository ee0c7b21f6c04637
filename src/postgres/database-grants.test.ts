import { describe, expect, it } from 'vitest';
import { application } from '../../test/fixtures/played-catalog.ts';
import { plainDatabase } from '../core/spec.ts';
import { databaseGrants, makersOf } from './database-grants.ts';

describe('databaseGrants', () => {
  const database = plainDatabase('shop', 'keeper');

  it('gives readers nothing but reading, and nobody anything by name', () => {
    const grants = databaseGrants(
      database,
      makersOf(database, [application('r', 'shop', 'ro'), application('w', 'shop', 'rw')]),
    );
    expect(grants).not.toMatch(/(INSERT|UPDATE|DELETE|CREATE|ALL) [^;]*TO "shop:read"/);
    expect(grants).not.toMatch(/GRANT [^;]*TO "(r|w)"/);
    expect(grants).toContain('FOR ROLE "w" GRANT SELECT ON TABLES TO "shop:read"');
    expect(grants).not.toContain('FOR ROLE "r"');
  });

  it('keeps a block closed, whatever a name has in it', () => {
    const grants = databaseGrants(plainDatabase('a', '$understudy$; drop'), ['$understudy$; drop']);
    expect(grants).toMatch(/DO \$understudy0\$ [\s\S]* \$understudy0\$;/);
  });
});
