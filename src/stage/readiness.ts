/**
 * Waits until a stage is ready: the agents call the cluster healthy, every node is as the spec says, and each
 * application reaches its database through its pooler.
 *
 * Healthy alone is not enough: on a fresh cluster the poolers are open a moment before databases and roles are made.
 */
import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { z } from 'zod';
import { connectionFiles } from '../applications/connection-files.ts';
import type { ClusterStatus } from '../core/status.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { askAgents } from './agents.ts';
import { applicationFiles, type StageRecord } from './record.ts';

const readyWithinMs = 90_000;
/** What still troubles a node after this long is worth a line before the end. */
const troubleAfterMs = 8_000;
const pollMs = 100;
const queryWithinMs = 2_000;

export interface Waiting {
  readonly clock: Clock;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Reports each step once. Throws STAGE_FAILED with what is still missing after 90 s; what the signal's abort throws. */
export async function untilReady(record: StageRecord, waiting: Waiting): Promise<void> {
  const { clock, report, signal } = waiting;
  const until = clock.boottimeMs() + readyWithinMs;
  const told = new Set<string>();
  let missing = 'no agent answered';
  while (clock.boottimeMs() < until) {
    try {
      const status = await askAgents(record, (client) => client.status({ withinMs: 1_000 }));
      const isSlow = until - clock.boottimeMs() < readyWithinMs - troubleAfterMs;
      const lines = [...progressOf(status), ...(isSlow ? troubleOf(status) : [])];
      for (const line of lines.filter((line) => !told.has(line))) {
        told.add(line);
        report(line);
      }
      const owed = shortcomings(status);
      if (owed.length === 0) {
        await tryPoolers(record);
        return;
      }
      missing = owed.join('; ');
    } catch (error) {
      missing = describeError(error);
    }
    await clock.sleep(pollMs, signal);
  }
  throw new UnderstudyError('STAGE_FAILED', `not ready after ${readyWithinMs / 1_000} s: ${missing}`, {
    hint: `read ${record.root}/*/log`,
  });
}

function shortcomings(status: ClusterStatus): readonly string[] {
  const owed = status.nodes
    .filter((node) => node.unconverged.length > 0)
    .map((node) => `${node.node} owes ${node.unconverged.join(', ')}`);
  // A stage whose repository is away, or has not been given its secret yet, is up.
  const apart = status.backups?.troubles ?? [];
  return status.verdict === 'HEALTHY' ? owed : [...status.because.filter((why) => !apart.includes(why)), ...owed];
}

function troubleOf(status: ClusterStatus): readonly string[] {
  return status.nodes.flatMap(({ node, trouble }) => (trouble === null ? [] : [`${node}: ${trouble}`]));
}

function progressOf(status: ClusterStatus): readonly string[] {
  return status.nodes.flatMap((node) => {
    if (node.role === 'app') {
      const state = status.poolers.find((pooler) => pooler.node === node.node)?.report?.state;
      return state === 'open' ? [`${node.node}: pooler is open`] : [];
    }
    if (node.role === 'witness') return node.reachable === 'yes' ? [`${node.node}: witness`] : [];
    const { postgres } = node;
    if (postgres?.state === 'foreign') return [`${node.node}: ${node.trouble ?? 'its data directory is not ours'}`];
    if (postgres?.state === 'primary') return [`${node.node}: primary`];
    if (postgres?.state === 'standby' && postgres.streamingFrom !== null) return [`${node.node}: standby, streaming`];
    const isMade = postgres?.state === 'cloning' || postgres?.state === 'rewinding';
    return isMade ? [`${node.node}: ${postgres.state}`] : [];
  });
}

const connection = z.object({
  host: z.string(),
  port: z.number(),
  user: z.string(),
  password: z.string(),
  write: z.string().nullable(),
});

/** Throws when an application does not get an answer from its primary. */
async function tryPoolers(record: StageRecord): Promise<void> {
  for (const node of record.nodes.filter((other) => other.role === 'app')) {
    const places = [{ node: node.name, files: applicationFiles(record, node.name) }];
    for (const { file } of connectionFiles(places)) await tryPooler(file);
  }
}

async function tryPooler(file: string): Promise<void> {
  const { host, port, user, password, write } = connection.parse(JSON.parse(readFileSync(file, 'utf8')));
  if (write === null) return;
  const limits = { connectionTimeoutMillis: queryWithinMs, query_timeout: queryWithinMs };
  const client = new Client({ host, port, user, password, database: write, ...limits });
  client.on('error', () => undefined); // told by the call under way
  try {
    await client.connect();
    await client.query('select 1');
  } finally {
    await client.end().catch(() => undefined);
  }
}
