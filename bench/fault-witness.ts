/**
 * What the servers of a stage themselves say while faults are played: who is primary of a whole cluster, what differs
 * between nodes, what the cluster lists as lost.
 *
 * Invariant: judges nothing, and takes no agent's word for what a server can be asked.
 */
import { z } from 'zod';
import type { StageUnderTest } from './stage-under-test.ts';
import { until } from './waiting.ts';

const wholeWithinMs = 120_000;
const replayWithinMs = 60_000;

export function databases({ record }: StageUnderTest): readonly string[] {
  return record.nodes.filter(({ role }) => role === 'database').map(({ name }) => name);
}

/** By what the servers say, since an agent may not have noticed yet. Answers the primary. */
export async function untilWhole(stage: StageUnderTest): Promise<string> {
  let primary = '';
  const wanted = `false|${databases(stage).length - 1}`;
  const streams = "select pg_is_in_recovery() || '|' || count(*) from pg_stat_replication where state = 'streaming'";
  await until('full redundancy', wholeWithinMs, 100, async () => {
    const status = await stage.status().catch(() => null);
    if (status === null || status.verdict !== 'HEALTHY' || status.nodes.some((node) => node.unconverged.length > 0))
      return false;
    primary = status.primary ?? '';
    return (await stage.local(primary, streams).catch(() => '')) === wanted;
  });
  return primary;
}

/** Rows by which the standbys differ from the primary, once they have replayed all of it. */
export async function forkedRows(stage: StageUnderTest, primary: string, table: string): Promise<number> {
  const position = await stage.local(primary, 'select pg_current_wal_flush_lsn()');
  const digest = `select count(*) || '|' || coalesce(sum(hashtextextended(l.run || '/' || writer || '/' || number, 0)), 0) from ${table} l`;
  const wanted = await stage.local(primary, digest);
  let forked = 0;
  for (const name of databases(stage).filter((other) => other !== primary)) {
    await until(`${name} has replayed`, replayWithinMs, 50, async () => {
      return (await stage.local(name, `select pg_last_wal_replay_lsn() >= '${position}'`)) === 't';
    });
    const found = await stage.local(name, digest);
    const rows = (text: string) => Number(text.split('|')[0]);
    if (found !== wanted) forked += Math.max(1, Math.abs(rows(found) - rows(wanted)));
  }
  return forked;
}

const lostAnswer = z.array(
  z.object({ reports: z.array(z.object({ id: z.string(), transactions: z.number() })).default([]) }),
);

/** What `understudy lost` lists, on whichever node it is kept: how many transactions by each report. */
export async function reportedLost(stage: StageUnderTest): Promise<ReadonlyMap<string, number>> {
  const { stdout, stderr } = await stage.cli('lost', '--json');
  if (stdout === '') throw new Error(`understudy lost said nothing but ${stderr}`);
  const json: unknown = JSON.parse(stdout);
  return new Map(lostAnswer.parse(json).flatMap(({ reports }) => reports.map((one) => [one.id, one.transactions])));
}
