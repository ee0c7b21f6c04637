/**
 * What two database nodes keep of a declared durability, as an application behind the pooler sees it that asks for nothing:
 * its commits wait for the standby, or go on loudly without it; a takeover has all that was acknowledged as replicated;
 * and what is given up where the declaration accepts a loss is exactly what was acknowledged without the standby.
 *
 * Each host is lost whole, its member of the store with it. With the witness's the others are a majority, so the loss of
 * any one host is borne. While two are lost nobody is elected, since the store does not answer; then one comes back that was
 * not there when the other acknowledged alone, and the store answers again: what it is to decide by is the declaration's.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { z } from 'zod';
import type { ClusterStatus } from '../src/core/status.ts';
import { exitCodes } from '../src/errors/exit-codes.ts';
import { healFaults, strikeFault } from '../src/stage/faults.ts';
import { clusterFile } from '../src/stage/record.ts';
import { createLinuxClock } from '../src/timing/linux-clock.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';

const writerCount = 4;
const soonMs = 20;
const withinMs = 30_000;
/** Longer than this test: each fault is healed by it. */
const longMs = 600_000;
const clock = createLinuxClock();

/** Writers through the pooler, one plain insert each: what was acknowledged, in order, and how many wait for an answer. */
interface Application {
  readonly acknowledged: readonly { readonly id: number; readonly atMs: number }[];
  waiting(): number;
  /** Returns when so many more than now were acknowledged. */
  more(count: number): Promise<void>;
  stop(): Promise<void>;
}

async function connect(stage: TestStage): Promise<pg.Client> {
  const made = new pg.Client(stage.application());
  made.on('error', () => undefined); // the query that fails tells
  await made.connect();
  return made;
}

async function startApplication(stage: TestStage): Promise<Application> {
  const first = await connect(stage);
  await first.query('create table kept (id bigint primary key)');
  await first.end();
  const acknowledged: { readonly id: number; readonly atMs: number }[] = [];
  const asked = new Set<number>();
  let last = 0;
  let ended = false;
  const write = async (): Promise<void> => {
    let connection: pg.Client | null = null;
    while (!ended) {
      last += 1;
      const id = last;
      try {
        connection ??= await connect(stage);
        asked.add(id);
        await connection.query(`insert into kept values (${id})`);
        acknowledged.push({ id, atMs: Date.now() });
      } catch {
        await connection?.end().catch(() => undefined);
        connection = null;
      } finally {
        asked.delete(id);
      }
      await delay(soonMs);
    }
    await connection?.end();
  };
  const writers = Array.from({ length: writerCount }, write);
  return {
    acknowledged,
    waiting: () => asked.size,
    async more(count) {
      const wanted = acknowledged.length + count;
      await expect.poll(() => acknowledged.length, { timeout: withinMs, interval: soonMs }).toBeGreaterThan(wanted);
    },
    async stop() {
      ended = true;
      await Promise.all(writers);
    },
  };
}

/** Applies the stage's cluster file with other words in it. */
async function declare(stage: TestStage, words: Readonly<Record<string, string>>): Promise<string> {
  const text = Object.entries(words).reduce(
    (file, [key, value]) => file.replace(new RegExp(`^( +${key}:) .*$`, 'm'), `$1 ${value}`),
    readFileSync(clusterFile(stage.record), 'utf8'),
  );
  const file = join(stage.directory, 'declared.yaml');
  writeFileSync(file, text);
  const { code, stdout, stderr } = await stage.cli('apply', file);
  expect({ code, stderr }).toMatchObject({ code: exitCodes.done });
  return stdout + stderr;
}

async function loseHost({ record, directory }: TestStage, node: string): Promise<void> {
  await strikeFault(record, directory, { fault: 'kill', node, what: 'all', forMs: longMs }, clock);
}

async function names(stage: TestStage, node: string): Promise<unknown> {
  const [row] = await stage.local(node, "select current_setting('synchronous_standby_names') as names");
  return row?.names;
}

async function waitingForStandbys(stage: TestStage, node: string): Promise<number> {
  const rows = await stage.local(node, "select pid from pg_stat_activity where wait_event = 'SyncRep'");
  return rows.length;
}

async function untilAllWait(stage: TestStage, node: string, application: Application): Promise<void> {
  await expect.poll(() => waitingForStandbys(stage, node), { timeout: withinMs, interval: 100 }).toBe(writerCount);
  expect(application.waiting()).toBe(writerCount);
}

async function keptOn(stage: TestStage): Promise<ReadonlySet<number>> {
  const reader = await connect(stage);
  const { rows } = await reader.query<{ id: string }>('select id from kept');
  await reader.end();
  return new Set(rows.map(({ id }) => Number(id)));
}

const says = (text: string) => (status: ClusterStatus) => status.because.some((line) => line.includes(text));

const eventLine = z.object({
  name: z.string(),
  at: z.string(),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

async function events(stage: TestStage) {
  const { stdout } = await stage.cli('events', '--json');
  return stdout
    .trim()
    .split('\n')
    .map((line) => eventLine.parse(JSON.parse(line)))
    .map(({ at, ...event }) => ({ ...event, atMs: Date.parse(at) }));
}

async function waitsForItsStandby(stage: TestStage, application: Application): Promise<void> {
  expect(await names(stage, 'db1')).toBe('ANY 1 ("db2")');
  const session = await connect(stage);
  expect((await session.query('show synchronous_commit')).rows).toEqual([{ synchronous_commit: 'on' }]);
  await session.end();
  await application.more(50);

  await loseHost(stage, 'db2');
  await untilAllWait(stage, 'db1', application);
  const before = application.acknowledged.length;
  const status = await stage.until('it says that they wait', says('replicated commits wait: 0 of db2 stream, 1 must'));
  expect(status).toMatchObject({ verdict: 'DEGRADED', durability: { k: 1, standbys: ['db2'], degraded: false } });
  expect(application.acknowledged).toHaveLength(before);
  expect(await waitingForStandbys(stage, 'db1')).toBe(writerCount);
  await healFaults(stage.record, 'db2');
  await application.more(50);
}

/** The other node takes over; until its own standby is there, it acknowledges nothing, or says first that it will. */
async function takesOverAndDegrades(stage: TestStage, application: Application): Promise<readonly number[]> {
  await loseHost(stage, 'db1');
  const degraded = await stage.until('it degrades', says('replicated commits wait for nobody instead of 1'));
  expect(degraded).toMatchObject({ primary: 'db2', verdict: 'DEGRADED' });
  expect(degraded.durability).toMatchObject({ k: 0, declaredK: 1, degraded: true });
  await application.more(50);
  const told = await events(stage);
  expect(told).toContainEqual(expect.objectContaining({ name: 'durability.changed', facts: { set: 'any 1 of db1' } }));
  const alarm = told.find(({ name }) => name === 'durability.degraded');
  expect(alarm?.facts).toEqual({ node: 'db2', set: 'nobody' });
  const promoted = told.find(({ name, facts }) => name === 'postgres.promoted' && facts.node === 'db2');
  const [takenAtMs, saidAtMs] = [promoted?.atMs ?? Number.NaN, alarm?.atMs ?? Number.NaN];
  expect(saidAtMs).toBeGreaterThan(takenAtMs);
  expect(application.acknowledged.filter(({ atMs }) => atMs > takenAtMs && atMs < saidAtMs)).toEqual([]);
  const soFar = [...application.acknowledged];
  const kept = await keptOn(stage);
  expect(soFar.filter(({ id }) => !kept.has(id))).toEqual([]);
  return application.acknowledged.filter(({ atMs }) => atMs < saidAtMs).map(({ id }) => id);
}

/** Only db2 knows what it acknowledged alone, and is gone; db1, back without it, takes over after the declared time. */
async function acceptsTheLoss(
  stage: TestStage,
  application: Application,
  replicated: readonly number[],
): Promise<void> {
  await application.stop();
  const alone = application.acknowledged.slice(replicated.length).map(({ id }) => id);
  await loseHost(stage, 'db2');
  await healFaults(stage.record, 'db1');
  const accepted = await stage.until('db1 takes over', ({ acceptedLoss }) => (acceptedLoss ?? null) !== null);
  expect(accepted).toMatchObject({ primary: 'db1', acceptedLoss: { by: 'the declaration' } });
  expect(accepted.acceptedLoss?.lacksBytes).toBeGreaterThan(0);
  expect((await stage.cli('status')).stdout).toContain('began with a loss that the declaration accepted: at least');
  expect((await events(stage)).map(({ name }) => name)).toContain('failover.loss_accepted');

  // What was acknowledged as replicated is there; what is gone, all of it, was acknowledged after the alarm.
  const kept = await keptOn(stage);
  expect(replicated.filter((id) => !kept.has(id))).toEqual([]);
  expect(alone.filter((id) => kept.has(id))).toEqual([]);

  await healFaults(stage.record, 'db2');
  await stage.untilWhole();
  expect(await names(stage, 'db1')).toBe('ANY 1 ("db2")');
  const told = await events(stage);
  const restored = { name: 'durability.restored', facts: { node: 'db1', set: 'any 1 of db2' } };
  expect(told).toContainEqual(expect.objectContaining(restored));
  // And its last primary says exactly what was lost: all that the application was told, and what the node wrote besides.
  const rescued = told.find(({ name }) => name === 'divergence.rescued');
  expect(Number(rescued?.facts.transactions)).toBeGreaterThanOrEqual(alone.length);
}

const isLong = process.env.TEST_LONG === '1';

/** A minute of takeovers: played with `TEST_LONG=1`. */
test.runIf(isLong)('two nodes keep what their durability declares', { timeout: 240_000 }, async () => {
  await withStage({ nodes: 2, witness: true, appNodes: 1 }, async (stage) => {
    const warned = await declare(stage, { commit: 'sync', ttl: '4s' });
    expect(warned).toContain('the loss of one stops every commit');
    await stage.untilWhole();
    const application = await startApplication(stage);
    await waitsForItsStandby(stage, application);
    await declare(stage, {
      commit: 'sync',
      ttl: '4s',
      without_standby: 'degrade',
      unheard: '{ accept_loss_after: 10s }',
    });
    await stage.untilWhole();
    const replicated = await takesOverAndDegrades(stage, application);
    await acceptsTheLoss(stage, application, replicated);
  });
});
