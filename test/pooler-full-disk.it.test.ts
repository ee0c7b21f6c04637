/** The disk of an app node fills up while its pooler is paused: the pooler follows the new primary all the same. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestAppNode } from './fixtures/app-node.ts';
import { openPoolerWorld, type PoolerWorld } from './fixtures/pooler-world.ts';
import { mountSmallDisk } from './fixtures/postgres-small-disk.ts';

let disk: Awaited<ReturnType<typeof mountSmallDisk>> = null;
let world: PoolerWorld;

beforeAll(async () => {
  disk = await mountSmallDisk(4); // before this process leaves root
  world = await openPoolerWorld();
}, 60_000);

afterAll(async () => {
  await world.close();
  await disk?.unmount();
});

function fill(directory: string): void {
  for (const bytes of [65_536, 512]) {
    for (let written = 0; written < 2 ** 23; written += bytes) {
      try {
        appendFileSync(join(directory, 'filler'), Buffer.alloc(bytes));
      } catch {
        break; // full
      }
    }
  }
}

it('leads its clients to the new primary, and reports that its journal can not be written', async ({ skip }) => {
  if (disk === null) return skip('only root can mount a small file system');
  const { db1, db2 } = world.servers;
  const app = openTestAppNode({ ...world, directory: disk.directory }, 'web1');
  try {
    app.say(1, db1);
    await app.awaitState('open');
    app.say(1, db1, { pause: { operation: 'S-1', term: 1, without: [], limitMs: 20_000 } });
    await app.awaitState('paused');
    fill(disk.directory);
    expect(() => appendFileSync(join(app.state, 'any'), 'x')).toThrow('ENOSPC');
    app.say(2, db2, { ended: 'S-1' });
    await app.awaitState('open', ({ trouble }) => trouble?.includes('ENOSPC') === true);
    const client = await app.connect('shop');
    const result: { rows: { address: string }[] } = await client.query('select host(inet_server_addr()) as address');
    await client.end();
    expect(result.rows[0]?.address).toBe(db2.address);
  } finally {
    await app.close();
  }
});
