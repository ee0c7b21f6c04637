import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuditPlace, auditPlace, linesOf } from '../../test/fixtures/audit-log.ts';
import { parseLine } from '../audit/line.ts';
import type { AuditLog } from '../audit/log.ts';
import type { AnchoredHead, AuditAnchor } from '../core/audit-anchor.ts';
import type { EventFacts } from '../events/catalogue.ts';
import { decodeRecord } from '../records/codecs.ts';
import { applyWrites } from '../records/image-changes.ts';
import { emptyImage, type StoreImage } from '../records/store-image.ts';
import { AuditAnchoring } from './audit-anchoring.ts';

let place: AuditPlace;
let log: AuditLog;
beforeEach(() => {
  place = auditPlace('pg0');
  log = place.open();
});
afterEach(async () => {
  await log.close();
  place.remove();
});

const hash = (digit: string) => digit.repeat(64);
const head = (sequence: number, digit: string, told = sequence): AnchoredHead => ({
  sequence,
  hash: hash(digit),
  told,
});
const stored = (anchor: AnchoredHead, unmet: AuditAnchor['unmet'] = []): AuditAnchor => ({
  ...anchor,
  at: '2026-11-20T12:00:00.000Z',
  unmet,
});

/** A store in memory, with one agent's anchoring before it. */
function world(own: AuditLog = log, self = 'pg0') {
  const state: { image: StoreImage; busy: boolean; reported: (AnchoredHead & { node: string })[] } = {
    image: { ...emptyImage(), revision: 1 },
    busy: false,
    reported: [],
  };
  const events: (readonly [string, EventFacts])[] = [];
  const put = (key: string, value: string): void => {
    state.image = applyWrites(state.image, [{ key, value }], state.image.revision + 1);
  };
  const anchoring = new AuditAnchoring({
    self,
    log: own,
    trail: own,
    clock: place.clock,
    signal: new AbortController().signal,
    isBusy: () => state.busy,
    reported: () => state.reported,
    emit: (name, facts) => events.push([name, facts]),
    mirror: {
      get image() {
        return state.image;
      },
      async transact([condition], writes) {
        const now = state.image.audits.get(self)?.revision ?? 'absent';
        if (condition?.revision !== now) return { committed: false, revision: state.image.revision, found: new Map() };
        for (const write of writes) if ('value' in write) put(write.key, write.value);
        return { committed: true, revision: state.image.revision };
      },
    },
  });
  const say = (node: string, anchor: AuditAnchor): void => put(`audit/${node}`, JSON.stringify(anchor));
  return { anchoring, state, events, say, anchor: () => state.image.audits.get(self)?.value };
}

/** One line more, and all of them synced. */
async function settle(own: AuditLog = log): Promise<void> {
  const line = own.record('order.ended', null, {}) ?? 0;
  const end = performance.now() + 10_000;
  while ((own.anchorable?.sequence ?? 0) < line) {
    if (performance.now() > end) throw new Error('it was never synced');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const kinds = () => linesOf(place.files()).map(({ text }) => parseLine(text)?.kind);

describe("an agent's own head", () => {
  it('is anchored once it is synced, and moves on with it', async () => {
    const { anchor, anchoring, events } = world();
    await anchoring.look();
    expect(anchor()).toBeUndefined();
    await settle();
    await anchoring.look();
    const first = anchor();
    expect(first).toMatchObject({ ...log.anchorable, unmet: [] });
    await settle();
    await anchoring.look();
    expect(anchor()?.sequence).toBeGreaterThan(first?.sequence ?? 0);
    expect(decodeRecord('audit', JSON.stringify(anchor()))).toMatchObject({ ok: true });
    expect(events).toEqual([]);
  });

  it('waits while a switchover moves', async () => {
    const { anchor, anchoring, state } = world();
    await settle();
    state.busy = true;
    await anchoring.look();
    expect(anchor()).toBeUndefined();
  });

  it('goes on from where it was after a restart', async () => {
    const { anchoring, anchor } = world();
    await settle();
    await anchoring.look();
    await log.close();
    log = place.open();
    await settle();
    const again = world();
    again.say('pg0', anchor() ?? stored(head(1, 'a')));
    await again.anchoring.look();
    expect(again.anchor()).toMatchObject({ ...log.anchorable, unmet: [] });
    expect(again.events).toEqual([]);
  });

  it.each([
    ['another line of that number', 2],
    ['a line that it does not reach', 900],
  ])('that is not in its log any more is never forgotten: %s', async (_, sequence) => {
    const { anchor, anchoring, events, say } = world();
    await settle();
    say('pg0', stored(head(sequence, 'a')));
    await anchoring.look();
    await settle();
    await anchoring.look();
    await settle();
    await anchoring.look();
    expect(anchor()?.unmet).toEqual([{ sequence, hash: hash('a') }]);
    expect(anchor()).toMatchObject({ sequence: log.anchorable?.sequence });
    expect(events).toMatchObject([['audit.contradicted', { node: 'pg0', sequence }]]);
    expect(kinds().filter((kind) => kind === 'anchor.unmet')).toHaveLength(1);
  });
});

describe('what is heard of other logs', () => {
  const seen = () =>
    linesOf(place.files()).flatMap(({ text }) => {
      const line = parseLine(text);
      return line?.kind.startsWith('anchor.') === true ? [`${line.kind} ${line.facts.of} ${line.facts.sequence}`] : [];
    });

  it('is written down from time to time, when there is something new', async () => {
    const { anchoring, say } = world();
    say('pg1', stored(head(5, 'a')));
    await anchoring.look();
    say('pg1', stored(head(9, 'b')));
    await anchoring.look();
    place.clock.nowMs += 60_000;
    await anchoring.look();
    place.clock.nowMs += 60_000;
    // Only lines about other logs have come since.
    say('pg1', stored(head(12, 'c', 9)));
    await anchoring.look();
    await settle();
    expect(seen()).toEqual(['anchor.seen pg1 5', 'anchor.seen pg1 9']);
  });

  it('is written down at once when it contradicts what was heard before', async () => {
    const { anchoring, events, say } = world();
    for (const anchor of [head(5, 'a'), head(9, 'b'), head(9, 'c'), head(4, 'd')]) {
      say('pg1', stored(anchor));
      await anchoring.look();
    }
    await settle();
    expect(seen()).toEqual(['anchor.seen pg1 5', 'anchor.contradicted pg1 9', 'anchor.contradicted pg1 4']);
    expect(events.map(([name]) => name)).toEqual(['audit.contradicted', 'audit.contradicted']);
  });

  it('comes from reports where there is no store', async () => {
    const { anchoring, state } = world();
    state.reported = [{ node: 'web0', ...head(3, 'a') }];
    await anchoring.look();
    await settle();
    expect(seen()).toEqual(['anchor.seen web0 3']);
  });

  it('comes to rest: two agents that hear only of each other write nothing more', async () => {
    const place1 = auditPlace('pg1');
    const other = place1.open();
    const [one, two] = [world(log, 'pg0'), world(other, 'pg1')];
    await settle(log);
    await settle(other);
    const lines = () => linesOf(place.files()).length;
    const counts: number[] = [];
    for (let minute = 0; minute < 10; minute += 1) {
      for (const from of [one, two]) await from.anchoring.look();
      const [a, b] = [one.anchor(), two.anchor()];
      if (a !== undefined) two.say('pg0', a);
      if (b !== undefined) one.say('pg1', b);
      place.clock.nowMs += 60_000;
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      counts.push(lines());
    }
    expect(counts.at(-1)).toBe(counts.at(-4));
    await other.close();
    place1.remove();
  });
});
