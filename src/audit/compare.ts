/**
 * Holds logs against what the store and other logs know of them. Pure.
 *
 * Invariant: whatever was once anchored must still be there, at its number and with its hash; the only lines that may be gone
 * are the oldest, which the log says it removed (reading.ts has judged that).
 */
import type { AuditHead, NodeAnchor } from '../core/audit-anchor.ts';
import type { AcceptedHead, ChainReading, Finding } from './reading.ts';

/** What one agent says that the store knows. */
export interface ToldAnchors {
  readonly by: string;
  readonly anchors: readonly NodeAnchor[];
}

interface Anchor extends AuditHead {
  readonly of: string;
  /** Who knows it, in words: `the log of pg1`. */
  readonly source: string;
}

/** A finding that rests on what the store knows, and who said so. */
interface Testimony {
  readonly by: string;
  readonly finding: Finding;
}

/**
 * Of the nodes whose logs were read: what anchors find wrong with them. Each trouble is told once, with its first witness. Nobody
 * has seen the store itself: what only one of several agents says of it is a finding about that one (`disputed`), unless a log of
 * another says the same.
 */
export function compareWithAnchors(
  readings: readonly ChainReading[],
  told: readonly ToldAnchors[],
): readonly Finding[] {
  const disputed = new Map<string, Finding>();
  const found = readings.flatMap((reading) => {
    const byLogs = findingsByLogs(readings, reading);
    const byStore = testimonies(reading, told);
    const [lone] = byStore;
    const others = told.map(({ by }) => by).filter((by) => by !== lone?.by && by !== reading.node);
    const isLone = lone !== undefined && byStore.every(({ by }) => by === lone.by) && others.length > 0;
    if (!isLone || byLogs.some(({ by }) => by !== lone.by)) {
      return dedupe([...byStore.map(withTeller), ...byLogs.map(({ finding }) => finding)].sort(bySequence));
    }
    const { finding } = lone;
    const text = `${lone.by} alone says so of the log of ${reading.node}, and ${others.join(', ')} not: ${finding.text}`;
    const key = `${lone.by} ${reading.node}`;
    if (!disputed.has(key)) disputed.set(key, { ...finding, what: 'disputed', node: lone.by, text });
    return dedupe(byLogs.map(({ finding: own }) => own).sort(bySequence));
  });
  return [...found, ...disputed.values()];
}

function testimonies(reading: ChainReading, told: readonly ToldAnchors[]): readonly Testimony[] {
  return told.flatMap(({ anchors, by }) =>
    anchors
      .filter(({ node }) => node === reading.node)
      .flatMap(({ hash, sequence, unmet }) => [{ sequence, hash }, ...unmet])
      .flatMap((head) => judge(reading, { ...head, of: reading.node, source: 'the store' }))
      .map((finding) => ({ by, finding })),
  );
}

function findingsByLogs(readings: readonly ChainReading[], reading: ChainReading): readonly Testimony[] {
  const acceptedAt = acceptedLogs(readings).get(reading.node)?.at ?? '';
  return readings
    .flatMap(({ seen }) => seen)
    .filter(({ of, at }) => of === reading.node && at > acceptedAt)
    .flatMap(({ by, ...head }) =>
      judge(reading, { ...head, source: `the log of ${by}` }).map((finding) => ({ by, finding })),
    );
}

function withTeller({ by, finding }: Testimony): Finding {
  return { ...finding, text: `${finding.text}, as ${by} says` };
}

function bySequence(a: Finding, b: Finding): number {
  return (a.sequence ?? 0) - (b.sequence ?? 0);
}

/**
 * By node: the last time that somebody accepted its log as it is now. What a log says of itself counts for nothing, nor what it no
 * longer holds.
 */
export function acceptedLogs(readings: readonly ChainReading[]): ReadonlyMap<string, AcceptedHead> {
  const accepted = readings.flatMap((reading) => reading.accepted);
  return new Map(
    readings.flatMap(({ node, hashes }) => {
      const held = accepted.filter(
        ({ of, by, sequence, hash }) => of === node && by !== node && hashes.get(sequence) === hash,
      );
      const last = held.toSorted((a, b) => (a.at < b.at ? -1 : 1)).at(-1);
      return last === undefined ? [] : [[node, last] as const];
    }),
  );
}

function judge(reading: ChainReading, { sequence, hash, source }: Anchor): readonly Finding[] {
  const { first, hashes, head, node } = reading;
  const found = (what: Finding['what'], text: string): readonly Finding[] => [
    { what, node, file: null, line: null, sequence, text },
  ];
  if (first === null) return found('missing', `there is no log, and ${source} knows line ${sequence} of it`);
  if (sequence > head.sequence)
    return found('cut', `the log ends with line ${head.sequence}, and ${source} knows line ${sequence}`);
  if (sequence < first || hashes.get(sequence) === hash) return [];
  return found('replaced', `line ${sequence} is not the one that ${source} knows`);
}

/** One witness is enough for each end and each line. */
function dedupe(findings: readonly Finding[]): readonly Finding[] {
  const told = new Set<string>();
  return findings.filter(({ sequence, what }) => {
    const key = what === 'replaced' ? `${what} ${sequence}` : what;
    if (told.has(key)) return false;
    told.add(key);
    return true;
  });
}
