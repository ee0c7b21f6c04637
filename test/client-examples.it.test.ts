/** The programs of examples/app, with the cluster that their users would test them with. */
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { build } from '../examples/app/build-job.ts';
import { schema } from '../examples/app/pool.ts';
import { webServer } from '../examples/app/web.ts';
import { doHandedJob, doOneJob } from '../examples/app/worker.ts';
import { testFakeClusters } from './fixtures/fake-clusters.ts';
import { until } from './fixtures/postgres-cluster.ts';

const site = testFakeClusters();
beforeEach(async () => {
  const db = site.open();
  await db.query(schema);
  await db.query(db.outcomeTable.create);
  await db.query('TRUNCATE orders, visits, jobs, builds, understudy_outcomes');
});

async function ordered(): Promise<string[]> {
  const { rows } = await site.admin.query<{ article: string }>('SELECT article FROM orders ORDER BY id');
  return rows.map(({ article }) => article);
}

describe('the web page', () => {
  let url: string;
  let close: () => Promise<void>;
  beforeEach(async () => {
    const server = webServer(site.open(), 'a secret of this very test');
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address: AddressInfo | string | null = server.address();
    url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    close = () => new Promise((resolve) => server.close(() => resolve()));
  });
  afterEach(() => close());

  const order = (article: string): Promise<Response> =>
    fetch(`${url}/orders/${article}`, { method: 'POST', redirect: 'manual' });
  const page = async (cookie = ''): Promise<string> => await (await fetch(url, { headers: { cookie } })).text();

  it('shows who has ordered the order, and strangers what replicas have', async () => {
    for (const name of ['replica1', 'replica2']) await site.cluster.replica(name).lag();
    const answer = await order('lamp');
    expect(answer.status).toBe(303);
    const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(await page(cookie)).toContain('lamp');
    expect(await page()).not.toContain('lamp');
    expect(await page(`${cookie}x`)).not.toContain('lamp');
  });

  it('answers 503 to who orders while nobody may write, shows a banner, and goes on by itself', async () => {
    await order('lamp');
    await site.cluster.readOnly(true);
    const refused = await order('chair');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('10');
    expect(await page()).toContain('moving house');
    await site.cluster.readOnly(false);
    await until('it takes orders', async () => (await order('table')).status === 303);
    expect(await page()).not.toContain('moving house');
    expect(await ordered()).toEqual(['lamp', 'table']);
  });
});

describe('the worker', () => {
  it('does each job once, also when the answer to its COMMIT is lost', async () => {
    const db = site.open();
    await db.query("INSERT INTO jobs (article) VALUES ('lamp'), ('chair')");
    while (await doOneJob(db));
    expect(await ordered()).toEqual(['lamp', 'chair']);
    const lost = site.cluster.loseCommitAnswer({ committed: true });
    await doHandedJob(db, '17', 'table');
    await doHandedJob(db, '17', 'table');
    expect(lost.hasStruck).toBe(true);
    expect(await ordered()).toEqual(['lamp', 'chair', 'table']);
  });

  it('waits while nobody may write', async () => {
    const db = site.open();
    await db.query("INSERT INTO jobs (article) VALUES ('lamp')");
    await site.cluster.readOnly(true);
    const done = doOneJob(db);
    await until('it was refused', async () => db.status().mode === 'read-only');
    await site.cluster.readOnly(false);
    expect(await done).toBe(true);
    expect(await ordered()).toEqual(['lamp']);
  });
});

describe('the build', () => {
  it('goes on after a failover, and after nobody could write for a while', async () => {
    const db = site.open();
    const failover = site.cluster.failover({ forMs: 200 });
    expect(await build(db, 'nightly', ['fetched', 'compiled'])).toBe(0);
    await failover;
    await site.cluster.readOnly(true);
    const going = build(db, 'nightly', ['tested']);
    await until('it was refused', async () => db.status().mode === 'read-only');
    await site.cluster.readOnly(false);
    expect(await going).toBe(0);
    expect((await site.admin.query('SELECT state FROM builds')).rows).toEqual([{ state: 'tested' }]);
  });

  it('is given up when that takes too long', async () => {
    const db = site.open();
    await site.cluster.readOnly(true);
    expect(await build(db, 'nightly', ['fetched'], 300)).toBe(1);
  });
});
