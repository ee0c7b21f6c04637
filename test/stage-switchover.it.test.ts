/** A real cluster: what an application sees of a switchover, and what refuses one. */
import pg from 'pg';
import { expect, test } from 'vitest';
import { run } from '../src/process/run.ts';
import { startWriters, type TestStage, withStage } from './fixtures/stage.ts';

function parse(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error(`not an object: ${text}`);
  return { ...value };
}

async function refusals(stage: TestStage, ...args: readonly string[]): Promise<{ code: number | null; text: string }> {
  const result = await stage.cli('switchover', ...args);
  return { code: result.code, text: result.stdout + result.stderr };
}

test('a stage comes up, moves its primary under load without a failed transaction, and says why it refuses', async () => {
  await withStage({ nodes: 3, appNodes: 2 }, async (stage) => {
    const uri = (await stage.cli('uri')).stdout.trim();
    expect(uri).not.toMatch(/:[^/@]+@/); // no password: it would land in a command line
    const one = await run('psql', [uri, '-X', '-At', '-c', 'select 1'], { withinMs: 10_000 });
    expect(one.stdout.trim()).toBe('1');

    // --- three moves under load, on two app nodes
    const writers = [await startWriters(stage, 4, 'local', 'app1'), await startWriters(stage, 4, 'local', 'app2')];
    for (const to of ['db2', 'db3', 'db1']) {
      const moved = await stage.cli('switchover', '--to', to, '--json');
      expect(moved.code, moved.stdout + moved.stderr).toBe(0);
      const receipt = parse(moved.stdout);
      expect(receipt).toMatchObject({ outcome: 'finished', to, unreported: [] });
      await stage.untilHealthy();
    }
    for (const one of writers) {
      const verdict = await one.stop();
      expect(verdict).toMatchObject({ failed: [], missing: 0 });
      expect(verdict.acknowledged).toBeGreaterThan(100);
    }
    expect((await stage.status()).term).toBe(4);

    // --- refused, and named
    expect(await refusals(stage, '--to', 'db9')).toMatchObject({
      code: 3,
      text: expect.stringContaining('no node db9'),
    });
    expect(await refusals(stage, '--to', 'db1')).toMatchObject({
      code: 3,
      text: expect.stringContaining('primary already'),
    });
    expect(await refusals(stage, '--to', 'app1')).toMatchObject({ code: 3 });
    expect(await refusals(stage, '--without-pooler', 'app7')).toMatchObject({
      code: 3,
      text: expect.stringContaining('app7'),
    });
    const dry = await stage.cli('switchover', '--dry-run', '--json');
    expect(dry.code).toBe(0);
    expect((await stage.status()).term).toBe(4);

    // --- a transaction that idles
    const idler = new pg.Client(stage.application());
    idler.on('error', () => undefined);
    await idler.connect();
    await idler.query('begin');
    await idler.query('select 1');
    const [seen] = await stage.local(
      'db1',
      "select pid from pg_stat_activity where usename like 'shop@%' and state = 'idle in transaction'",
    );
    expect(seen).toBeDefined();
    const shortly = await stage.cli('switchover', '--force-after', '1', '--json');
    expect(shortly.code, shortly.stdout + shortly.stderr).toBe(0);
    await expect(idler.query('commit')).rejects.toThrow();
    await idler.end().catch(() => undefined);
    await stage.untilHealthy();
  });
});
