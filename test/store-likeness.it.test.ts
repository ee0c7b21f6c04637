/** The store in memory answers like etcd: random command sequences, the same answers and the same changes seen. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isUnderstudyError } from '../src/errors/understudy-error.ts';
import type { Store, StoreChange, StoreCondition, StoreEntry, StoreWrite } from '../src/ports/store.ts';
import { createFakeStore } from '../src/sim/fakes/store.ts';
import { createLinuxClock } from '../src/timing/linux-clock.ts';
import { watched } from './contracts/watched.ts';
import { type EtcdFixture, startEtcd } from './fixtures/etcd.ts';

const call = { withinMs: 5_000 };
const keyNames = ['lease', 'renewal', 'members/a', 'members/ab'] as const;

/** A condition in terms of what stands there when it is sent; the two stores count revisions from different places. */
interface PlannedCondition {
  readonly key: string;
  readonly is: 'as-it-stands' | 'absent' | 'older' | 'newer';
}

type Command =
  | { readonly do: 'read' }
  | {
      readonly do: 'transact';
      readonly conditions: readonly PlannedCondition[];
      readonly writes: readonly StoreWrite[];
    };

const key = fc.constantFrom(...keyNames);
const condition = fc.record({
  key,
  is: fc.constantFrom<PlannedCondition['is'][]>('as-it-stands', 'as-it-stands', 'absent', 'older', 'newer'),
});
const write: fc.Arbitrary<StoreWrite> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ key, value: fc.string({ unit: 'grapheme', maxLength: 8 }) }) },
  { weight: 1, arbitrary: key.map((name) => ({ key: name, remove: true as const })) },
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ do: 'read' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('transact' as const),
      conditions: fc.array(condition, { maxLength: 3 }),
      writes: fc.array(write, { maxLength: 3 }),
    }),
  },
);

describe('the store in memory', () => {
  let etcd: EtcdFixture;
  beforeAll(async () => {
    etcd = await startEtcd(1);
  }, 60_000);
  afterAll(() => etcd?.stop(), 60_000);

  it('gives the same answers as etcd', async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 12 }), async (commands) => {
        runs += 1;
        const prefix = `/understudy/likeness-${runs}/`;
        const real = etcd.open(prefix);
        const fake = createFakeStore(createLinuxClock()).open(prefix);
        try {
          expect(await accountOf(fake, commands)).toEqual(await accountOf(real, commands));
        } finally {
          await real.close();
          await fake.close();
        }
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});

/** Everything that the store said, with revisions counted from where it began. */
async function accountOf(store: Store, commands: readonly Command[]): Promise<readonly unknown[]> {
  const base = (await store.readAll(call)).revision;
  const watch = watched(store, base + 1);
  const account: unknown[] = [];
  const since = (revision: number) => revision - base;
  for (const planned of commands) {
    const before = await store.readAll(call);
    if (planned.do === 'read') {
      account.push([since(before.revision), [...before.entries.values()].map((entry) => told(entry, base))]);
      continue;
    }
    const conditions = planned.conditions.map((wanted) => conditionOf(wanted, before.entries, before.revision));
    const result = await store.transact(conditions, planned.writes, call).catch((error: unknown) => {
      if (isUnderstudyError(error)) return error.code;
      throw error;
    });
    if (typeof result === 'string') account.push(result);
    else if (result.committed) account.push(['committed', since(result.revision)]);
    else account.push(['refused', since(result.revision), [...result.found.values()].map((e) => told(e, base)).sort()]);
  }
  const last = await store.transact([], [{ key: 'last', value: '' }], call);
  await watch.until(() => watch.revisions().includes(last.revision));
  watch.end();
  account.push(watch.calls.map(({ changes, revision }) => [since(revision), changes.map((c) => changeOf(c, base))]));
  return account;
}

function conditionOf(
  { key: name, is }: PlannedCondition,
  entries: ReadonlyMap<string, StoreEntry>,
  revision: number,
): StoreCondition {
  const standing = entries.get(name)?.revision;
  if (is === 'absent' || standing === undefined) return { key: name, revision: is === 'older' ? 1 : 'absent' };
  if (is === 'as-it-stands') return { key: name, revision: standing };
  return { key: name, revision: is === 'older' ? standing - 1 : revision + 1 };
}

function told(entry: StoreEntry, base: number): string {
  return JSON.stringify([entry.key, entry.value, entry.revision - base]);
}

function changeOf(change: StoreChange, base: number): string {
  return change.kind === 'put' ? told(change.entry, base) : `${change.key} removed at ${change.revision - base}`;
}
