/**
 * Waits until a cluster has come to rest after a load.
 *
 * At rest: exactly one node can be written, nobody is writing the load's tables there any more, and every other node
 * streams on its timeline and has replayed what it had flushed after that. The one look that finds nobody writing comes
 * before the one whose position counts: a commit that waits for a standby is in the WAL before it can be seen.
 * Invariant: ends at its deadline, and says then what was missing. Asks the servers alone: what agents believe of them is
 * part of what is under test.
 */
import { z } from 'zod';
import { bytesBehind, formatLsn, type Lsn, parseLsn } from '../core/lsn.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Node } from './node-access.ts';

export interface RestWanted {
  readonly nodes: readonly Node[];
  readonly database: string;
  /** How the names of the load's tables begin. */
  readonly tables: string;
  readonly withinMs: number;
  readonly clock: Clock;
  /** When it fires, it is not waited any longer. */
  readonly hurry: AbortSignal;
  /** What is being waited for; each time it changes. */
  readonly report: (missing: readonly string[]) => void;
}

export interface Rest {
  /** What was missing in the end; empty: it is at rest. */
  readonly missing: readonly string[];
  readonly tookMs: number;
  /** Nodes that have all that the primary had. */
  readonly caughtUp: ReadonlySet<string>;
}

const pollMs = 100;
/** A frozen server answers never; one that only starts answers at once. */
const lookWithinMs = 5_000;
const onceSeen = 'was looked at only once';

const row = z.object({
  recovery: z.boolean(),
  /** Flushed on a primary, replayed on a standby; `null` on a standby that has replayed nothing yet. */
  lsn: z.string().nullable(),
  /** On a standby: the one that it streams; `null` when it does not. */
  timeline: z.int().nullable(),
  writing: z.int(),
});

type Seen =
  | ({ readonly node: string; readonly answered: true; readonly lsn: Lsn | null } & Omit<z.infer<typeof row>, 'lsn'>)
  | { readonly node: string; readonly answered: false; readonly because: string };
type Position = Extract<Seen, { answered: true }>;

/** Which primary, and from which of its positions on a standby has everything. */
interface Target {
  readonly node: string;
  readonly timeline: number | null;
  readonly lsn: Lsn | null;
}

export async function untilRest(wanted: RestWanted): Promise<Rest> {
  const { clock, hurry, nodes, report, withinMs } = wanted;
  const startedMs = clock.boottimeMs();
  const sql = positionQuery(wanted.tables);
  let target: Target | null = null;
  let told = '';
  for (;;) {
    const seen = await Promise.all(nodes.map((node) => look(node, wanted.database, sql)));
    const { caughtUp, missing } = compare(seen, target);
    const tookMs = clock.boottimeMs() - startedMs;
    if (missing.length === 0 || tookMs > withinMs || hurry.aborted) return { missing, caughtUp, tookMs };
    // One look is never enough: that is not worth telling.
    const worth = missing.filter((each) => !each.endsWith(onceSeen));
    if (worth.length > 0 && worth.join() !== told) {
      report(worth);
      told = worth.join();
    }
    target = nextTarget(seen, target);
    // Aborted: one last look.
    await clock.sleep(pollMs, hurry).catch(() => undefined);
  }
}

/** CASE keeps a server from calling what only the other kind may call (PostgreSQL documentation 9.27.3, 9.27.4). */
function positionQuery(tables: string): string {
  return `select pg_is_in_recovery() as recovery,
    (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end)::text as lsn,
    case when pg_is_in_recovery() then (select received_tli from pg_stat_wal_receiver where status = 'streaming')
      else ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int end as timeline,
    (select count(*)::int from pg_locks l
      where l.relation in (select oid from pg_class
          where relnamespace = to_regnamespace('public') and starts_with(relname, '${tables}'))
        and l.database = (select oid from pg_database where datname = current_database())
        and l.mode = 'RowExclusiveLock') as writing`;
}

async function look({ node, query }: Node, database: string, sql: string): Promise<Seen> {
  try {
    const [found] = await query(database, sql, lookWithinMs);
    const { lsn, ...rest } = row.parse(found);
    return { node, answered: true, ...rest, lsn: lsn === null ? null : (parseLsn(lsn) ?? null) };
  } catch (error) {
    return { node, answered: false, because: describeError(error) };
  }
}

function writableOf(seen: readonly Seen[]): readonly Position[] {
  return seen.flatMap((each) => (each.answered && !each.recovery ? [each] : []));
}

/** A position counts once nobody was writing at the look before it, nor at any since. */
function nextTarget(seen: readonly Seen[], target: Target | null): Target | null {
  const [primary, ...others] = writableOf(seen);
  if (primary === undefined || others.length > 0 || primary.writing > 0) return null;
  const { lsn, node, timeline } = primary;
  if (target === null || target.node !== node || target.timeline !== timeline) return { node, timeline, lsn: null };
  return target.lsn === null ? { ...target, lsn } : target;
}

function compare(seen: readonly Seen[], target: Target | null): Pick<Rest, 'missing' | 'caughtUp'> {
  const caughtUp = new Set<string>();
  const missing: string[] = [];
  const writable = writableOf(seen);
  const [primary] = writable;
  if (primary === undefined) missing.push('no node can be written');
  if (writable.length > 1) missing.push(`${writable.map(({ node }) => node).join(' and ')} can be written`);
  for (const each of seen) {
    const owed = owedBy(each, primary, target);
    if (owed === null) caughtUp.add(each.node);
    else if (owed !== '') missing.push(`${each.node} ${owed}`);
  }
  return { caughtUp, missing };
}

/** `null`: nothing. Empty: it is said of the cluster already. */
function owedBy(seen: Seen, primary: Position | undefined, target: Target | null): string | null {
  if (!seen.answered) return `does not answer: ${seen.because}`;
  if (primary === undefined) return '';
  if (!seen.recovery) {
    if (seen.writing > 0) return 'has transactions of the load under way';
    return target?.lsn === null || target === null || target.node !== seen.node ? onceSeen : null;
  }
  if (seen.timeline === null) return 'does not stream';
  if (seen.timeline !== primary.timeline) return `streams timeline ${seen.timeline}, not ${primary.timeline}`;
  if (target === null || target.lsn === null) return '';
  if (seen.lsn !== null && seen.lsn >= target.lsn) return null;
  const behind = seen.lsn === null ? '' : `, ${bytesBehind(target.lsn, seen.lsn)} B behind`;
  return `has not replayed ${formatLsn(target.lsn)}${behind}`;
}
