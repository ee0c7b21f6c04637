/**
 * Holds logs against what the store and other logs know of them. Pure.
 *
 * Invariant: whatever was once anchored must still be there, at its number and with its hash; the only lines that may be gone
 * are the oldest, which the log says it removed (reading.ts has judged that).
 */
import type { AuditHead, NodeAnchor } from '../core/audit-anchor.ts';
import type { ChainReading, Finding } from './reading.ts';

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
  const anchors: Anchor[] = [
    ...stored.flatMap(({ node, sequence, hash, unmet }) =>
      [{ sequence, hash }, ...unmet].map((head) => ({ ...head, of: node, source: 'the store' })),
    ),
    ...readings.flatMap(({ seen }) => seen.map(({ by, ...head }) => ({ ...head, source: `the log of ${by}` }))),
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
