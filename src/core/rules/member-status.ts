/** What a database node or a witness says of itself in the store, and when it is worth a write. */
import type { ClusterView, MemberPostgres, MemberStatus } from '../cluster-view.ts';
import type { Refusal } from '../decision.ts';
import type { ArchiverFacts, LocalPostgres } from '../local-postgres.ts';
import { formatLsn } from '../lsn.ts';
import type { DatabaseMemory } from '../memory.ts';
import { inOneLine } from '../one-line.ts';
import { cutTerm } from '../promise.ts';
import { currentTerm, isMoving, type Situation } from '../situation.ts';
import type { NodeSpec } from '../spec.ts';
import { probeTrouble, type SeenProbe } from '../write-probe.ts';
import { whyUnfit } from './failover.ts';

/** Others call a member silent after 6 s: three of these may be lost. */
const publishEveryMs = 2_000;

export function memberPostgres(view: ClusterView): MemberPostgres {
  const { postgres, job } = view;
  if (job?.kind === 'clone' || job?.kind === 'rewind') {
    const state = job.kind === 'clone' ? 'cloning' : 'rewinding';
    return { state, bytesDone: job.progress?.bytesDone ?? 0, bytesTotal: job.progress?.bytesTotal ?? null };
  }
  switch (postgres.state) {
    case 'primary':
      return {
        state: 'primary',
        timeline: postgres.timeline,
        lsn: formatLsn(postgres.insertLsn),
        flushed: Object.fromEntries(
          postgres.peers.flatMap(({ name, state, flushLsn }) =>
            state === 'streaming' && flushLsn !== null ? [[name, formatLsn(flushLsn)]] : [],
          ),
        ),
        ...archiving(postgres.archiver),
      };
    case 'standby':
      return {
        state: 'standby',
        timeline: postgres.timeline,
        receivedLsn: postgres.receivedLsn === null ? null : formatLsn(postgres.receivedLsn),
        replayedLsn: formatLsn(postgres.replayedLsn),
        streamingFrom: postgres.receiver === 'streaming' ? postgres.upstream : null,
        lagS: postgres.lagS,
      };
    case 'missing-binaries':
      return { state: 'unknown' };
    case 'unfinished':
      return { state: 'absent' };
    case 'orphaned':
      return { state: 'stopping' };
    default:
      return { state: postgres.state };
  }
}

type ArchivingStatus = Pick<Extract<MemberPostgres, { state: 'primary' }>, 'archivedTo' | 'archiveTrouble'>;

function archiving({ archivedTo, failing, waiting }: ArchiverFacts): ArchivingStatus {
  return {
    ...(archivedTo === null ? {} : { archivedTo: formatLsn(archivedTo) }),
    ...(failing === null ? {} : { archiveTrouble: { ...failing, waiting } }),
  };
}

/** `null`: nothing new to say, and it was said lately. */
export function dueStatus(
  situation: Situation,
  facts: { readonly unconverged: readonly string[]; readonly refused: readonly Refusal[] },
): { readonly status: MemberStatus; readonly key: string } | null {
  const { view, memory } = situation;
  // Who left the spec is forgotten by the holder, and must not write itself in again.
  if (situation.spec !== null && !speaks(situation.me)) return null;
  const status = compose(situation, facts, (memory.status?.counter ?? 0) + 1);
  const key = materialKey(status);
  return isDue(situation, key) && view.store.readAtMs !== null ? { status, key } : null;
}

/** A witness, too: that one of three members of the store may be gone is worth knowing before a second one is. */
export function speaks(node: NodeSpec | null | undefined): boolean {
  return node?.role === 'database' || node?.role === 'witness';
}

/** While the primary moves, a write to the store would take the disk from the first commits. */
function isDue(situation: Situation, key: string): boolean {
  const { memory, nowMs } = situation;
  if (memory.status === null) return true;
  const ageMs = nowMs - memory.status.atMs;
  const isNew = memory.status.key !== key;
  if (!isMoving(situation)) return isNew || ageMs >= publishEveryMs;
  return ageMs >= 2 * publishEveryMs;
}

function compose(
  situation: Situation,
  facts: { readonly unconverged: readonly string[]; readonly refused: readonly Refusal[] },
  counter: number,
): MemberStatus {
  const { view } = situation;
  const { postgres } = view;
  const running = postgres.state === 'primary' || postgres.state === 'standby' ? postgres : null;
  const refusal = facts.refused[0];
  const failedJob = [...view.lastJobs.values()].find((job) => job.outcome === 'failed' && view.job?.kind !== job.kind);
  const trouble =
    refusal?.text ?? (running === null ? (failedJob?.error ?? null) : primaryTrouble(view.postgres, view.probe));
  const notRunning = running === null && situation.me?.role === 'database' ? [`postgres ${postgres.state}`] : [];
  const notStreaming = postgres.state === 'standby' && postgres.receiver !== 'streaming' ? ['not streaming'] : [];
  return {
    node: view.self,
    counter,
    term: currentTerm(situation),
    cutTerm: cutTerm(view.promise),
    postgres: memberPostgres(view),
    serverVersion: running?.serverVersion ?? null,
    specRevision: situation.specRevision,
    unconverged: [...notRunning, ...notStreaming, ...facts.unconverged],
    // The server also names settings whose line went away but whose value stays.
    pendingRestart: (running?.pendingRestart ?? []).filter(({ current, wanted }) => current !== wanted),
    standbyMinimums: running?.standbyMinimums ?? {},
    diskFreeBytes: view.diskFreeBytes,
    bootId: view.bootId,
    unfit: postgres.state === 'standby' ? whyUnfit(situation) : null,
    agentVersion: view.agentVersion,
    trouble: trouble === null ? null : inOneLine(trouble),
  };
}

function primaryTrouble(postgres: LocalPostgres, probe: SeenProbe | null): string | null {
  return postgres.state === 'primary' ? probeTrouble(probe, postgres.pid) : null;
}

/** Everything but positions and counters, which change all the time. */
function materialKey(status: MemberStatus): string {
  const { postgres } = status;
  const role =
    postgres.state === 'standby'
      ? [postgres.state, postgres.timeline, postgres.streamingFrom]
      : [postgres.state, 'timeline' in postgres ? postgres.timeline : 0];
  return JSON.stringify([
    role,
    status.term,
    status.cutTerm,
    status.specRevision,
    status.unconverged,
    status.pendingRestart,
    status.trouble,
    status.unfit,
    status.serverVersion,
  ]);
}

/** What stood in the store before this agent looked says nothing of who lives: only a counter that moves does. */
export function rememberMembers(view: ClusterView, memory: DatabaseMemory): DatabaseMemory['memberSeen'] {
  let seen = memory.memberSeen;
  for (const [node, stored] of view.store.members) {
    const before = seen.get(node);
    if (before !== undefined && before.counter === stored.value.counter) continue;
    seen = new Map(seen).set(node, { counter: stored.value.counter, atMs: view.nowMs, moved: before !== undefined });
  }
  return seen;
}
