import { expect, it } from 'vitest';
import type { LocalServer } from './local-servers.ts';
import { requireNow } from './past-difference.ts';

it('takes no delayed standby for the present', () => {
  const server = { binaries: '', host: '', port: 5432, user: 'postgres', runAs: null };
  const found: LocalServer = {
    ...{ node: 'db3', server, inRecovery: true, isStreaming: true, isDelayed: false, unreplayedBytes: 0 },
  };
  expect(requireNow(found)).toBe(found);
  expect(() => requireNow({ ...found, isDelayed: true })).toThrow('db3, a delayed standby, does not know what is now');
});
