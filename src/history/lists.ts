/**
 * Checks lists that only grow at their end: each read must be a beginning of every later one, and of the list at rest.
 * The idea is that of list-append histories in Elle (Kingsbury and Alvaro, VLDB 2020): a list tells the order in which its
 * appends were committed, so that two reads which disagree prove two histories.
 *
 * What counts as evidence: a read inside a transaction that was acknowledged. Its commit follows, in the WAL, the commits
 * that it saw; so what it saw is as durable as itself. A read in a transaction of unknown outcome proves nothing: after
 * a crash a server shows commits that no standby has, and they may go with it.
 * Whether an acknowledged append is missing is not asked here; see presence.ts.
 */
import { type Append, type CommitLevel, isReplicated, type ListRead } from './attempt.ts';
import type { Finding } from './finding.ts';

interface Evidence {
  readonly items: readonly number[];
  readonly commit: CommitLevel;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** `lists`: the lists at rest, on the primary; `null`: not known. */
export function checkLists(
  attempts: readonly Append[],
  lists: ReadonlyMap<number, readonly number[]> | null,
): readonly Finding[] {
  const findings = [...checkItems(attempts)];
  for (const [key, reads] of evidenceByKey(attempts)) {
    // A list that is not there is an empty one, as a read of it finds it.
    const reference = lists === null ? longest(reads) : (lists.get(key) ?? []);
    findings.push(...checkOrder(key, reads, reference));
  }
  if (lists !== null) findings.push(...misplaced(attempts, lists));
  return findings;
}

function evidenceByKey(attempts: readonly Append[]): ReadonlyMap<number, readonly Evidence[]> {
  const byKey = new Map<number, Evidence[]>();
  for (const attempt of attempts) {
    if (attempt.outcome !== 'ok') continue;
    const { beganMs, commit, endedMs } = attempt;
    for (const { key, items } of attempt.reads) {
      const reads = byKey.get(key) ?? [];
      reads.push({ items, commit, beganMs, endedMs });
      byKey.set(key, reads);
    }
  }
  return byKey;
}

function longest(reads: readonly Evidence[]): readonly number[] {
  return reads.reduce<readonly number[]>((most, { items }) => (items.length > most.length ? items : most), []);
}

export function isBeginning(items: readonly number[], of: readonly number[]): boolean {
  return items.length <= of.length && items.every((item, index) => of[index] === item);
}

/** Every read against the list at rest; then, among those that fit it, none may be shorter than one that ended before it began. */
function checkOrder(key: number, reads: readonly Evidence[], reference: readonly number[]): readonly Finding[] {
  const findings: Finding[] = [];
  const fitting: Evidence[] = [];
  for (const read of reads) {
    if (isBeginning(read.items, reference)) fitting.push(read);
    else findings.push(fork(key, read.commit, read.items, reference, read.endedMs));
  }
  const byEnd = [...fitting].sort((a, b) => a.endedMs - b.endedMs);
  // Under each level its own: what a replicated commit saw must be seen by a replicated one, whatever local ones saw.
  const floors: Record<'any' | 'replicated', readonly number[]> = { any: [], replicated: [] };
  let next = 0;
  for (const read of [...fitting].sort((a, b) => a.beganMs - b.beganMs)) {
    for (let ended = byEnd[next]; ended !== undefined && ended.endedMs < read.beganMs; ended = byEnd[next]) {
      next += 1;
      if (ended.items.length > floors.any.length) floors.any = ended.items;
      if (isReplicated(ended.commit) && ended.items.length > floors.replicated.length) floors.replicated = ended.items;
    }
    const { commit, items } = read;
    if (isReplicated(commit) && items.length < floors.replicated.length)
      findings.push(fork(key, commit, floors.replicated, items, read.endedMs));
    else if (items.length < floors.any.length) findings.push(fork(key, 'local', floors.any, items, read.endedMs));
  }
  return findings;
}

function fork(
  key: number,
  commit: CommitLevel,
  earlier: readonly number[],
  later: readonly number[],
  atMs: number,
): Finding {
  return { kind: 'fork', workload: 'append', commit, key, earlier, later, atMs };
}

/** What must not be in any read, whoever read it: a refused append, one that was never sent there, one twice. */
function checkItems(attempts: readonly Append[]): readonly Finding[] {
  const byId = new Map(attempts.map((attempt) => [attempt.id, attempt]));
  const told = new Set<string>();
  const findings: Finding[] = [];
  const tell = (finding: Finding & { readonly id: number }): void => {
    const key = `${finding.kind} ${finding.id}`;
    if (!told.has(key)) findings.push(finding);
    told.add(key);
  };
  for (const reader of attempts) {
    for (const read of reader.reads) checkRead(reader, read, byId, tell);
  }
  return findings;
}

function checkRead(
  reader: Append,
  { items, key }: ListRead,
  byId: ReadonlyMap<number, Append>,
  tell: (finding: Finding & { readonly id: number }) => void,
): void {
  const workload = 'append';
  const seen = new Set<number>();
  for (const id of items) {
    if (seen.has(id)) tell({ kind: 'duplicate', workload, id, times: items.filter((other) => other === id).length });
    seen.add(id);
    const writer = byId.get(id);
    if (writer === undefined || writer.key !== key) tell({ kind: 'invented', workload, id });
    // A transaction sees its own append before it is refused.
    else if (writer.outcome === 'failed' && writer !== reader) {
      const { because, endedMs } = writer;
      tell({ kind: 'phantom', workload, id, writer: writer.writer, because, atMs: endedMs });
    }
  }
}

/** In another list than it was sent to. */
function misplaced(attempts: readonly Append[], lists: ReadonlyMap<number, readonly number[]>): readonly Finding[] {
  const keyOf = new Map(attempts.map(({ id, key }) => [id, key]));
  const findings: Finding[] = [];
  for (const [key, items] of lists) {
    for (const id of items) {
      const sent = keyOf.get(id);
      if (sent !== undefined && sent !== key) findings.push({ kind: 'invented', workload: 'append', id });
    }
  }
  return findings;
}
