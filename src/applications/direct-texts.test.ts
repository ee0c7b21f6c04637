import { expect, it } from 'vitest';
import { type Direct, directConninfo, directUri } from './direct-texts.ts';

const direct: Direct = {
  hostName: 'postgresql.psf.io',
  servers: [
    { address: '10.0.1.10', port: 5432 },
    { address: 'fd00::11', port: 5432 },
  ],
  database: null,
  user: null,
  ca: '/etc/understudy/apps/shop/ca.crt',
  purpose: 'write',
};

it('verifies one name at every address', () => {
  expect(directConninfo(direct)).toBe(
    'host=postgresql.psf.io,postgresql.psf.io hostaddr=10.0.1.10,fd00::11 port=5432,5432 sslmode=verify-full sslrootcert=/etc/understudy/apps/shop/ca.crt target_session_attrs=read-write',
  );
  expect(directUri(direct)).toBe(
    'postgresql:///?host=postgresql.psf.io,postgresql.psf.io&hostaddr=10.0.1.10,fd00%3A%3A11&port=5432,5432&sslmode=verify-full&sslrootcert=/etc/understudy/apps/shop/ca.crt&target_session_attrs=read-write',
  );
});

it('names database and user when they are known, and quotes what must be', () => {
  const more = { ...direct, database: 'shop', user: 'report@bi', ca: "/it's here/ca.crt", purpose: 'read' as const };
  expect(directConninfo(more)).toContain(
    "dbname=shop user=report@bi sslmode=verify-full sslrootcert='/it\\'s here/ca.crt' target_session_attrs=prefer-standby",
  );
  expect(directUri(more)).toMatch(/^postgresql:\/\/report%40bi@\/shop\?host=.*sslrootcert=\/it's%20here\/ca.crt/);
});
