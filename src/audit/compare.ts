/**
 * Holds logs against what the store and other logs know of them. Pure.
 *
 * Invariant: whatever was once anchored must still be there, at its number and with its hash; the only lines that may be gone
 * are the oldest, which the log says it removed (reading.ts has judged that).
 */
import type { AuditHead, NodeAnchor } from '../core/audit-anchor.ts';
import type { AcceptedHead, ChainReading, Finding } from './reading.ts';

interface Anchor extends AuditHead {
  readonly of: string;
  /** In words: `the store`, `the log of pg1`. */
  readonly source: string;
}

/** Of the nodes whose logs were read: what anchors find wrong with them. Each trouble is told once, with its first witness. */
export function compareWithAnchors(
  readings: readonly ChainReading[],
  stored: readonly NodeAnchor[],
): readonly Finding[] {
  const acceptances = acceptedLogs(readings);
  const anchors: Anchor[] = [
    ...stored.flatMap(({ node, sequence, hash, unmet }) =>
      [{ sequence, hash }, ...unmet].map((head) => ({ ...head, of: node, source: 'the store' })),
    ),
    ...readings.flatMap(({ seen }) =>
      seen
        .filter(({ of, at }) => at > (acceptances.get(of)?.at ?? ''))
        .map(({ by, ...head }) => ({ ...head, source: `the log of ${by}` })),
    ),
  ];
  return readings.flatMap((reading) =>
    dedupe(
      anchors
        .filter(({ of }) => of === reading.node)
        .sort((a, b) => a.sequence - b.sequence)
        .flatMap((anchor) => judge(reading, anchor)),
    ),
  );
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
