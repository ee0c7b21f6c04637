import { expect, it } from 'vitest';
import { CredentialsSeen } from './app-node-credentials-seen.ts';

const loaded = (generation: number) => ({
  aliases: ['shop', 'blog'].map((name) => ({ name, application: name, generation })),
});
const running = (...straggling: readonly string[]) => ({ state: 'running' as const, straggling, formerClients: {} });

function seen() {
  let news = 0;
  const credentials = new CredentialsSeen(() => {
    news += 1;
  });
  return { credentials, news: () => news };
}

it('tells each change once, and leaves out an application with connections of an earlier one', () => {
  const { credentials, news } = seen();
  expect(credentials.inUse).toBe(null);
  const [first, second] = [loaded(1), loaded(2)];
  credentials.looked(running(), first, first);
  credentials.looked(running(), first, first);
  expect([credentials.inUse, news()]).toEqual([{ shop: 1, blog: 1 }, 1]);
  credentials.looked(running('shop'), second, second);
  expect([credentials.inUse, news()]).toEqual([{ blog: 2 }, 2]);
  credentials.looked(running(), second, second);
  expect([credentials.inUse, news()]).toEqual([{ shop: 2, blog: 2 }, 3]);
});

it('learns nothing from a look during which the configuration changed, nor from a pooler that does not run', () => {
  const { credentials, news } = seen();
  const [first, second] = [loaded(1), loaded(2)];
  credentials.looked(running(), first, second);
  credentials.looked({ state: 'stopped' }, first, first);
  expect([credentials.inUse, news()]).toEqual([null, 0]);
});

it('tells when the last client by a password before has gone, and when there is one again, and not how many', () => {
  const { credentials, news } = seen();
  const first = loaded(1);
  const looked = (shop: number) => credentials.looked({ ...running(), formerClients: { shop, blog: 0 } }, first, first);
  const told = [0, 3, 2, 0, 0, 1].map((count) => {
    looked(count);
    return news();
  });
  expect(told).toEqual([1, 2, 2, 3, 3, 4]);
});
