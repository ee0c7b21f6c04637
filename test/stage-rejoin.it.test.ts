/**
 * The host of a primary dies while its local commits reach nobody. When it comes back, what it had committed alone is kept
 * and listed, and it is rewound; `understudy lost` says at least what the application misses.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { parseLsn } from '../src/core/lsn.ts';
import { readCommandLine } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import { lostReport } from '../src/records/lost-schema.ts';
import { nodeDirectory } from '../src/stage/record.ts';
import { createLinuxClock } from '../src/timing/linux-clock.ts';
import { startWriters, type TestStage, withStage } from './fixtures/stage.ts';

const clock = createLinuxClock();
const lostAnswer = z.array(z.object({ node: z.string(), reports: z.array(lostReport) }));
const toldEvent = z.object({ name: z.string() });

test('a primary that comes back has what it lost listed, and is rewound', { timeout: 300_000 }, async () => {
  await withStage({ nodes: 3, appNodes: 1 }, async (stage) => {
    const before = await stage.untilHealthy(120_000);
    const from = before.primary ?? '';
    const writers = await startWriters(stage, 4);
    await writeAlone(stage, from);
    // All of the host: the agent that comes back knows nothing of what was before.
    await order(stage, 'kill', from, '--what', 'all');
    await stage.until('another node is primary', ({ primary, term }) => {
      return primary !== null && primary !== from && (term ?? 0) > (before.term ?? 0);
    });
    await order(stage, 'heal', from);
    await stage.untilHealthy(150_000);
    const { missing } = await writers.stop();
    expect(missing).toBeGreaterThan(0);

    const answer = lostAnswer.parse(JSON.parse((await stage.cli('lost', '--node', from, '--json')).stdout));
    const [report, ...others] = answer.flatMap(({ reports }) => reports);
    if (report === undefined) throw new Error(`${from} tells nothing of what it lost`);
    expect(others).toEqual([]);
    const { tables, transactions, whole, keptBytes } = report;
    // The server's own housekeeping may have committed as well, without a row of anybody's.
    const rows = tables[0]?.transactions ?? 0;
    expect({ whole, tables }).toEqual({
      whole: true,
      tables: [
        { database: 'shop', table: 'public.written', inserted: rows, updated: 0, deleted: 0, transactions: rows },
      ],
    });
    expect(rows).toBeGreaterThanOrEqual(missing);
    expect(transactions).toBeGreaterThanOrEqual(rows);
    expect(keptBytes).toBeGreaterThan(0);
    const names = (await stage.cli('events', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => toldEvent.parse(JSON.parse(line)).name);
    expect(names).toEqual(expect.arrayContaining(['divergence.rescued', 'postgres.rewound']));
    expect(existsSync(join(nodeDirectory(stage.record, from), 'data.diverged-1'))).toBe(false);
  });
});

async function order(stage: TestStage, ...fault: readonly string[]): Promise<void> {
  expect(await stage.cli('stage', 'fault', ...fault)).toMatchObject({ code: 0, stderr: '' });
}

/** From now on no standby receives anything; returns when so much was written that something is lost for certain. */
async function writeAlone(stage: TestStage, primary: string): Promise<void> {
  for (const process of stage.processes('backend', primary)) {
    if (/\bwalsender\b/.test(readCommandLine(process.pid)[0] ?? '')) sendSignal(process, 'SIGSTOP');
  }
  const position = async (): Promise<bigint> => {
    const [row] = await stage.local(primary, 'select pg_current_wal_flush_lsn()::text as lsn');
    return parseLsn(String(row?.lsn)) ?? 0n;
  };
  const begun = await position();
  const endMs = clock.boottimeMs() + 20_000;
  while ((await position()) < begun + 65_536n) {
    if (clock.boottimeMs() > endMs) throw new Error('the writers do not write');
    await clock.sleep(20);
  }
}
