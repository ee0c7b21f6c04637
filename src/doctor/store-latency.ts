/**
 * How quickly the store answers this node: each renewal of the lease is one such write, so a store whose worst answers
 * come near the time between two renewals turns a busy disk into a failover that nobody needed.
 *
 * Writes one key of its own, which nobody reads, and removes it. Twenty of each say what is usual, and nothing of the
 * worst hour of the week: a warning is certain, its absence is not a promise.
 */
import type { DoctorFinding } from '../api/contract/looks.ts';
import { renewEveryMs } from '../core/lease.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';
import { bad, ok } from './finding.ts';

const check = 'store latency';
const rounds = 20;
/** One that takes longer would have lost a lease of any usual length. */
const answerWithinMs = 3_000;
/** A slow store is known after fewer. */
const wholeMs = 8_000;
/** etcd's members write to disk before they answer: half a renewal's interval is left for a bad day. */
const comfortable = 2;

export interface StoreProbe {
  readonly store: Pick<Store, 'transact'>;
  readonly clock: Pick<Clock, 'boottimeMs'>;
  readonly node: string;
  readonly ttlMs: number;
}

export async function checkStoreLatency({ store, clock, node, ttlMs }: StoreProbe): Promise<DoctorFinding> {
  const key = `doctor/${node}`;
  const options = { withinMs: answerWithinMs };
  const timed = async (act: () => Promise<unknown>): Promise<number> => {
    const begunMs = clock.boottimeMs();
    await act();
    return clock.boottimeMs() - begunMs;
  };
  const reads: number[] = [];
  const writes: number[] = [];
  try {
    const begunMs = clock.boottimeMs();
    for (let round = 0; round < rounds && clock.boottimeMs() - begunMs < wholeMs; round += 1) {
      writes.push(await timed(() => store.transact([], [{ key, value: String(round) }], options)));
      reads.push(await timed(() => store.transact([{ key, revision: 'absent' }], [], options)));
    }
    await store.transact([], [{ key, remove: true }], options);
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error);
    return bad(check, 'failure', `the store did not answer: ${because}`, 'look at the store: etcdctl endpoint health');
  }
  return judgeLatency(reads, writes, ttlMs);
}

/** In ms; both lists have at least one entry. */
export function judgeLatency(reads: readonly number[], writes: readonly number[], ttlMs: number): DoctorFinding {
  const worstMs = Math.max(...reads, ...writes);
  const everyMs = renewEveryMs(ttlMs);
  const text = `reads ${figures(reads)}, writes ${figures(writes)} (${reads.length} each); the lease is renewed every ${shown(everyMs)}`;
  if (worstMs * comfortable <= everyMs) return ok(check, text);
  const neededS = Math.ceil((worstMs * comfortable * 6) / 1_000);
  const hint = `a slow store costs failovers that nobody needed: give etcd a disk of its own, or declare a lease of at least ${neededS} s`;
  return bad(check, 'warning', text, hint);
}

function figures(all: readonly number[]): string {
  const sorted = [...all].sort((a, b) => a - b);
  return `${shown(sorted[Math.floor(sorted.length / 2)] ?? 0)}, at worst ${shown(sorted.at(-1) ?? 0)}`;
}

function shown(ms: number): string {
  return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
}
