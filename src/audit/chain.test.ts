/** Whatever is done to a log, it is noticed, given what the store and other logs know of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readChain, type WrittenLine } from '../../test/fixtures/audit-log.ts';
import type { AuditHead, NodeAnchor } from '../core/audit-anchor.ts';
import type { AuditKind } from './catalogue.ts';
import { compareWithAnchors, type ToldAnchors } from './compare.ts';
import { fileNameOf } from './files.ts';
import { type AuditFacts, beginning, chain, longestLineBytes, parseLine } from './line.ts';
import type { ChainReading } from './reading.ts';

const anyFacts: fc.Arbitrary<AuditFacts> = fc.dictionary(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.integer(), fc.boolean(), fc.constant(null)),
  { maxKeys: 20 },
);
const anyWho = fc.option(fc.record({ as: fc.string({ unit: 'binary' }), from: fc.string() }), { nil: null });
const anyEntry = fc.record({ facts: anyFacts, who: anyWho, afterMs: fc.nat(5_000) });

interface Log {
  readonly lines: readonly WrittenLine[];
  readonly heads: readonly AuditHead[];
}

/** In files of so many lines, as a log that was rotated. */
function write(
  entries: readonly { facts: AuditFacts; who: { as: string } | null; afterMs: number }[],
  perFile: number,
): Log {
  const lines: WrittenLine[] = [];
  const heads: AuditHead[] = [];
  let head = beginning;
  let atMs = Date.parse('2026-11-20T12:00:00Z');
  let file = '';
  for (const { afterMs, facts, who } of entries) {
    atMs += afterMs;
    const next = chain(head, { at: new Date(atMs).toISOString(), node: 'pg0', kind: 'login', who, facts });
    if (heads.length % perFile === 0) file = fileNameOf(next.head.sequence);
    lines.push({ file, text: next.text });
    heads.push(next.head);
    head = next.head;
  }
  return { lines, heads };
}

const anyLog = fc
  .tuple(fc.array(anyEntry, { minLength: 2, maxLength: 25 }), fc.integer({ min: 1, max: 10 }))
  .map(([entries, perFile]) => write(entries, perFile));

const anchorAt = (head: AuditHead, unmet: readonly AuditHead[] = []): NodeAnchor => ({
  ...head,
  node: 'pg0',
  told: head.sequence,
  at: '2026-11-20T12:00:00Z',
  unmet,
});

const told = (anchors: readonly NodeAnchor[]): readonly ToldAnchors[] => [{ by: 'pg1', anchors }];

function troubles(lines: readonly WrittenLine[], anchors: readonly NodeAnchor[]): readonly string[] {
  const reading = readChain(lines);
  return [...reading.findings, ...compareWithAnchors([reading], told(anchors))].map(({ what }) => what);
}

const lastOf = ({ heads }: Log): AuditHead => heads.at(-1) ?? beginning;

describe('a log', () => {
  it('that nobody touched is intact, with every anchor that it ever had', () => {
    fc.assert(
      fc.property(anyLog, (log) => {
        expect(
          troubles(
            log.lines,
            log.heads.map((head) => anchorAt(head)),
          ),
        ).toEqual([]);
      }),
    );
  });

  it('that goes on stays intact', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { minLength: 1, maxLength: 30 }), fc.nat(), (entries, cut) => {
        const log = write(entries, 7);
        const earlier = log.lines.slice(0, 1 + (cut % log.lines.length));
        expect(troubles(earlier, [])).toEqual([]);
      }),
    );
  });

  it('in which a character is changed, added or taken away is not', () => {
    fc.assert(
      fc.property(anyLog, fc.nat(), fc.nat(), fc.constantFrom('x', '', '0', ' ', '"', 'é'), (log, which, where, by) => {
        const index = which % log.lines.length;
        const { text, file } = log.lines[index] ?? { text: '', file: '' };
        const at = where % text.length;
        const changed = text.slice(0, at) + by + text.slice(at + 1);
        fc.pre(changed !== text);
        const lines = log.lines.with(index, { file, text: changed });
        expect(troubles(lines, [anchorAt(lastOf(log))])).not.toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('from which lines are missing is not, at its beginning, in its middle or at its end', () => {
    fc.assert(
      fc.property(anyLog, fc.nat(), fc.nat(), (log, which, many) => {
        const index = which % log.lines.length;
        const count = 1 + (many % (log.lines.length - index));
        const lines = log.lines.toSpliced(index, count);
        expect(troubles(lines, [anchorAt(lastOf(log))])).not.toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('of which two lines have changed places is not', () => {
    fc.assert(
      fc.property(anyLog, fc.nat(), fc.nat(), (log, one, other) => {
        const [i, j] = [one % log.lines.length, other % log.lines.length];
        fc.pre(i !== j);
        const [a, b] = [log.lines[i], log.lines[j]];
        if (a === undefined || b === undefined) return;
        const lines = log.lines.with(i, { file: a.file, text: b.text }).with(j, { file: b.file, text: a.text });
        expect(troubles(lines, [anchorAt(lastOf(log))])).not.toEqual([]);
      }),
    );
  });

  it('that was written anew from some line on is not, also when it is longer than before', () => {
    fc.assert(
      fc.property(anyLog, fc.nat(), fc.array(anyEntry, { maxLength: 10 }), (log, from, more) => {
        const index = from % log.lines.length;
        const forged: WrittenLine[] = [...log.lines.slice(0, index)];
        let head = log.heads[index - 1] ?? beginning;
        const entries = [...log.lines.slice(index).map(() => ({ facts: { forged: true }, who: null })), ...more];
        for (const { facts, who } of entries) {
          const next = chain(head, { at: '2027-01-01T00:00:00.000Z', node: 'pg0', kind: 'login', who, facts });
          forged.push({ file: log.lines[forged.length]?.file ?? log.lines.at(-1)?.file ?? '', text: next.text });
          head = next.head;
        }
        expect(readChain(forged).findings).toEqual([]);
        expect(troubles(forged, [anchorAt(lastOf(log))])).toEqual(['replaced']);
        // As whoever can write the store would have it: the anchor that its agent missed is kept beside the new one.
        expect(troubles(forged, [anchorAt(head, [lastOf(log)])])).toEqual(['replaced']);
        // And if the store is wholly his, another log remembers.
        const peer = chain(beginning, {
          at: '2026-11-20T12:00:00.000Z',
          node: 'pg1',
          kind: 'anchor.seen',
          who: null,
          facts: { of: 'pg0', ...lastOf(log) },
        });
        const readings = [readChain(forged), readChain([{ file: fileNameOf(1), text: peer.text }], 'pg1')];
        expect(compareWithAnchors(readings, told([anchorAt(head)])).map(({ what }) => what)).toEqual(['replaced']);
      }),
    );
  });

  it('that somebody accepted is intact again, unless only the log itself says so', () => {
    fc.assert(
      fc.property(anyLog, fc.nat(), (log, from) => {
        const kept = log.lines.slice(0, 1 + (from % (log.lines.length - 1)));
        const held = log.heads[kept.length - 1] ?? beginning;
        const saying = (by: string, head: AuditHead, kind: AuditKind, hour: number, said: AuditHead) => ({
          ...chain(head, {
            at: `2027-01-01T0${hour}:00:00.000Z`,
            node: by,
            kind,
            who: null,
            facts: { of: 'pg0', ...said },
          }),
        });
        const seen = saying('pg1', beginning, 'anchor.seen', 1, lastOf(log));
        const accepted = saying('pg1', seen.head, 'log.accepted', 2, held);
        const peer = (...texts: readonly { readonly text: string }[]) =>
          readChain(
            texts.map(({ text }) => ({ file: fileNameOf(1), text })),
            'pg1',
          );
        const found = (lines: readonly WrittenLine[], reading: ChainReading) =>
          compareWithAnchors([readChain(lines), reading], []).map(({ what }) => what);
        expect(found(kept, peer(seen))).toEqual(['cut']);
        expect(found(kept, peer(seen, accepted))).toEqual([]);
        // Of another log than the one that there is now, nothing was accepted.
        const other = saying('pg1', seen.head, 'log.accepted', 2, { ...held, hash: '0'.repeat(64) });
        expect(found(kept, peer(seen, other))).toEqual(['cut']);
        // And what is cut off later is found again.
        const later = saying('pg1', accepted.head, 'anchor.seen', 3, lastOf(log));
        expect(found(kept, peer(seen, accepted, later))).toEqual(['cut']);
        const own = saying('pg0', held, 'log.accepted', 2, held);
        expect(found([...kept, { file: kept.at(-1)?.file ?? '', text: own.text }], peer(seen))).not.toEqual([]);
      }),
    );
  });

  it('of another node is not taken for its own', () => {
    const log = write([{ facts: {}, who: null, afterMs: 0 }], 5);
    expect(readChain(log.lines, 'pg1').findings).toMatchObject([{ what: 'replaced', sequence: 1, line: 1 }]);
  });

  it('that is gone is missed by whoever knew it', () => {
    const log = write([{ facts: {}, who: null, afterMs: 0 }], 5);
    expect(compareWithAnchors([readChain([])], told([anchorAt(lastOf(log))]))).toMatchObject([
      { what: 'missing', sequence: 1 },
    ]);
  });

  it('is not changed because one of several agents says what the store knows: that is held against him', () => {
    const log = write([{ facts: {}, who: null, afterMs: 0 }], 5);
    const right = anchorAt(lastOf(log));
    const invented = anchorAt({ sequence: 99, hash: '0'.repeat(64) });
    const readings = [readChain(log.lines)];
    const found = (...told: readonly ToldAnchors[]) =>
      compareWithAnchors(readings, told).map(({ node, text, what }) => ({ node, text, what }));
    const [liar, honest] = [
      { by: 'pg2', anchors: [invented] },
      { by: 'pg1', anchors: [right] },
    ];
    expect(found(honest, liar)).toEqual([
      {
        what: 'disputed',
        node: 'pg2',
        text: 'pg2 alone says so of the log of pg0, and pg1 not: the log ends with line 1, and the store knows line 99',
      },
    ]);
    // With nobody else to ask but the node itself, or with a second who says so, it is what was said.
    expect(found(liar)).toMatchObject([{ what: 'cut', node: 'pg0', text: expect.stringMatching(/, as pg2 says$/) }]);
    expect(found(liar, { by: 'pg0', anchors: [right] })).toMatchObject([{ what: 'cut', node: 'pg0' }]);
    expect(found(honest, liar, { by: 'mon0', anchors: [invented] })).toMatchObject([{ what: 'cut', node: 'pg0' }]);
  });

  it('whose clock goes back without a word is not intact; with one it is', () => {
    const at = (ms: number) => new Date(ms).toISOString();
    const entry = { node: 'pg0', who: null, facts: {} };
    const first = chain(beginning, { ...entry, at: at(10_000), kind: 'login' });
    const silent = chain(first.head, { ...entry, at: at(9_000), kind: 'login' });
    const said = chain(first.head, { ...entry, at: at(9_000), kind: 'clock.set_back', facts: { byMs: 1_000 } });
    const file = fileNameOf(1);
    const two = (text: string) => [
      { file, text: first.text },
      { file, text },
    ];
    expect(readChain(two(silent.text)).findings).toMatchObject([{ what: 'clock', line: 2, sequence: 2 }]);
    expect(readChain(two(said.text))).toMatchObject({ findings: [], clockSetBack: 1 });
  });
});

describe('a line', () => {
  it('is read as it was written, has one line and a bound, whatever it is to hold', () => {
    fc.assert(
      fc.property(anyFacts, anyWho, (facts, who) => {
        const at = '2026-11-20T12:00:00.000Z';
        const { text } = chain(beginning, { at, node: 'pg0', kind: 'login', who, facts });
        expect(text).not.toContain('\n');
        expect(Buffer.byteLength(text)).toBeLessThan(longestLineBytes);
        expect(Buffer.from(text, 'utf8').toString('utf8')).toBe(text);
        expect(parseLine(text)).toMatchObject({ sequence: 1, at, node: 'pg0', kind: 'login' });
      }),
    );
  });
});
