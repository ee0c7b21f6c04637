/**
 * Planted bugs: guards of the protocol that can be taken out by name, in a build of the simulator and nowhere else.
 *
 * A plant is a piece of the real source and what stands there instead; bundle.ts puts it in while it bundles, so the
 * product itself has no switch that could be left on. Each `find` must occur exactly once in its file: when a rule is
 * rewritten, its plant has to be thought about again.
 */
export interface Edit {
  /** From the root of the project. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Plant {
  readonly name: string;
  /** The rule that it breaks, in PROTOCOLS' words. */
  readonly guard: string;
  readonly edits: readonly Edit[];
}

function plant(name: string, guard: string, ...edits: readonly [string, string, string][]): Plant {
  return { name, guard, edits: edits.map(([file, find, replace]) => ({ file: `src/${file}`, find, replace })) };
}

export const plants: readonly Plant[] = [
  // Lease and fence
  plant('takeover-waits', 'A candidate takes over only after TTL + drift since it saw the counter change', [
    'core/rules/lease-watch.ts',
    'watch.sinceMs + lease.ttlMs + driftMs(lease.ttlMs)',
    'watch.sinceMs + lease.ttlMs / 3',
  ]),
  plant('time-to-kill', 'The deadline leaves the worst kill time free', [
    'core/lease.ts',
    'return sentAtMs + ttlMs - driftMs(ttlMs) - killTimeMs;',
    'return sentAtMs + 1.4 * ttlMs;',
  ]),
  plant('deadline-from-before-sending', 'The deadline counts from before the renewal was sent', [
    'agent/execute-store.ts',
    'const renewal = { ...right, sentAtMs };',
    'const renewal = { ...right, sentAtMs: context.clock.boottimeMs() };',
  ]),
  plant('fence-kills', 'The fence kills at the deadline, whatever the state of the agent', [
    'fence/warden.ts',
    'if (deadline !== null && nowMs >= deadline.atMs) return `the deadline',
    'if (deadline !== null && nowMs < 0) return `the deadline',
  ]),
  plant(
    'fence-looks-at-promotions',
    'Every start and promotion passes through the fence, which looks at its deadline',
    [
      'fence/warden.ts',
      '  const { deadline, striking } = warden;\n',
      '  const { deadline, striking } = warden;\n  if (deadline !== null) return { ok: true, warden };\n',
    ],
  ),
  plant('take-compares-the-lease', 'A takeover compares the very revision that was seen', [
    'agent/store-lease.ts',
    '      same(keys.lease, lease),\n      same(keys.renewal, renewal),\n      sameOrAbsent(keys.durability, durability),',
    '',
  ]),
  plant('release-compares-the-renewal', 'A release that was not answered fails once its holder has renewed', [
    'agent/store-lease.ts',
    "same(keys.renewal, renewal)],\n    writes: [{ key: keys.lease, value: encodeRecord('lease', released) }],",
    "],\n    writes: [{ key: keys.lease, value: encodeRecord('lease', released) }],",
  ]),
  // Promises and cuts
  plant(
    'promise-forbids-cutting',
    'A promise forbids cutting until TTL + drift after its receipt',
    ['core/rules/failover.ts', 'if (bound > 0) {', 'if (bound < 0) {'],
    ['core/promise.ts', 'if (promiseLeftMs(record, now) > 0 || cutTerm(record) > term)', 'if (cutTerm(record) > term)'],
  ),
  plant('promise-lasts', 'A promise outlasts the deadline that rests on it', [
    'core/promise.ts',
    'now.nowMs + request.forMs)',
    'now.nowMs + request.forMs / 4)',
  ]),
  plant('all-must-promise', 'One who refuses or is not heard is enough to demote', [
    'agent/execute.ts',
    'if (!answers.every(({ given }) => given)) {',
    'if (answers.length > 0 && !answers.some(({ given }) => given)) {',
  ]),
  plant('every-candidate-is-asked', 'Every node that could be promoted is asked for its promise', [
    'core/rules/candidates.ts',
    '.filter((node) => node !== self);',
    '.filter((node) => node !== self).slice(1);',
  ]),
  plant('next-term-for-the-cut', 'A holder that sees a cut for the next term takes that term itself', [
    'core/rules/primary.ts',
    'if (cutFrom(situation, lease.value).length > 0) return',
    'if (cutFrom(situation, lease.value).length < 0) return',
  ]),
  // Elections and positions
  plant('position-is-end-of-wal', 'A position is the end of valid WAL on disk, not how far replay has come', [
    'core/rules/failover.ts',
    '    lsn: formatLsn(postgres.walEnd),\n    bootId',
    '    lsn: formatLsn(postgres.replayedLsn),\n    bootId',
  ]),
  plant('enough-are-heard', 'R members of the synchronous set are heard before an election', [
    'core/ballot.ts',
    'if (behind >= needed) return',
    'if (behind >= 1) return',
  ]),
  plant(
    'furthest-wins',
    'The furthest wins',
    ['core/ballot.ts', '.sort(furthestFirst)', '.sort((a, b) => furthestFirst(b, a))'],
    ['core/ballot.ts', 'if (behind >= needed) return', 'if (heard.length >= needed) return'],
  ),
  plant('timelines-belong-to-terms', 'A winner takes a timeline that no other term has used', [
    'core/timelines.ts',
    'return Math.max(local, ...[...timelines.values()].map(({ timeline }) => timeline)) + 1;',
    'return local + 1 + 0 * timelines.size;',
  ]),
  plant('silent-winner', 'Who was elected and does not act is passed over', [
    'core/rules/election.ts',
    'silent: { term, nodes: new Set([...(silent?.nodes ?? []), winner]) }',
    'silent: { term, nodes: new Set(silent?.nodes ?? []) }',
  ]),
  plant('winner-waits-for-standbys', 'From its first instant a new primary waits for whom the record demands', [
    'agent/local-configuration.ts',
    'this.#ownSync ?? initial)',
    'this.#ownSync ?? { standbys: [], k: 0 })',
  ]),
  plant('diverged-is-cloned', 'Any node whose WAL end passes the fork has diverged', [
    'core/rules/standby.ts',
    'if (view.requests.reinit || postgres.cannotStream !== null)',
    'if (view.requests.reinit)',
  ]),
  plant('failed-start-releases', 'A server that does not start is no reason to keep the lease', [
    'core/rules/primary.ts',
    "  return handOver(situation, lease, 'start-failed', text);",
    "  return wait({ code: 'start-failed', text }, backOff);",
  ]),
  plant('hung-primary-is-ended', 'A primary that answers nobody is ended', [
    'core/rules/hung.ts',
    'if (postgres.pid === null || nowMs - since < afterMs) {',
    'if (postgres.pid === null || nowMs - since < 1000 * afterMs) {',
  ]),
  plant('useless-primary-is-ended', 'A primary whose writes reach no disk is ended', [
    'core/write-probe.ts',
    'failing.times >= uselessAfterTimes &&',
    'failing.times >= 1_000 * uselessAfterTimes &&',
  ]),
  plant('unkillable-lets-the-lease-go', 'A holder that can not end its own server lets its lease run out', [
    'core/rules/useless.ts',
    'return since !== null && situation.nowMs - since >= endPatienceMs',
    'return since !== null && situation.nowMs < 0',
  ]),
  plant('orphans-are-ended', 'What outlives its postmaster goes on committing', [
    'core/decide.ts',
    "if (view.postgres.state === 'orphaned') return endOrphans();",
    '',
  ]),
  // Durability
  plant('server-demands-the-record', 'PostgreSQL may be set only to what the record demands', [
    'core/durability.ts',
    'if (!sameSet(server, wanted) && serverMayBe(wanted))',
    'if (!sameSet(server, wanted))',
  ]),
  plant(
    'record-follows-the-server',
    'The record changes only to what PostgreSQL already demands',
    ['core/durability.ts', 'if (!sameSet(record, wanted) && recordMayBe(wanted)) {', 'if (!sameSet(record, wanted)) {'],
    [
      'core/durability.ts',
      'if (!sameSet(server, wanted) && serverMayBe(wanted))',
      'if (sameSet(record, wanted) && !sameSet(server, wanted) && serverMayBe(wanted))',
    ],
  ),
  plant('flush-is-owed', 'k of the new set have flushed the position read after the change', [
    'core/rules/sync-standbys.ts',
    'flushedBy(postgres.peers, step.set, effective.mark) < step.set.k)',
    'flushedBy(postgres.peers, step.set, effective.mark) < 0)',
  ]),
  plant('durability-write-compares', 'Every write of the record compares the lease and the record that it replaces', [
    'agent/store-housekeeping.ts',
    'same(keys.lease, lease), sameOrAbsent(keys.durability, replaces)',
    '',
  ]),
  plant('take-compares-the-record', 'A takeover compares the durability record that it was judged by', [
    'agent/store-lease.ts',
    '      same(keys.renewal, renewal),\n      sameOrAbsent(keys.durability, durability),',
    '      same(keys.renewal, renewal),',
  ]),
  plant('settle-earlier-writes', 'An unanswered write of the record is settled by another write', [
    'core/rules/sync-standbys.ts',
    'memory.durabilityWritten === lease.lease.value.term) return null',
    'lease.lease.value.term > 0) return null',
  ]),
  plant('renewal-says-how-far', 'How far the holder had written stands in its renewal', [
    'core/rules/lease.ts',
    "if (postgres.state === 'primary') return { timeline",
    "if (postgres.state === 'primary' && postgres.timeline < 0) return { timeline",
  ]),
  plant('acceptance-is-void-after-a-renewal', 'A loss is accepted of a holder only as long as it does not renew', [
    'core/accepted-loss.ts',
    'renewal.term === term && record.counter === renewal.counter ? record : null',
    'renewal.term === term ? record : null',
  ]),
  plant('loss-limit', 'Who is known to lack more than the declared limit is not elected', [
    'core/ballot.ts',
    'if (lossLimitBytes === null || lacksBytes <= lossLimitBytes) return null;',
    'if (lossLimitBytes === null || lacksBytes >= 0) return null;',
  ]),
  // Switchover
  plant('undo-before-start', 'The old primary starts again only after its undo succeeded', [
    'core/rules/switchover.ts',
    "  if (operation.phase === 'stopped') {\n    return wait(",
    "  if (operation.phase === 'stopped') {\n    if (operation.phase === 'stopped') return null;\n    return wait(",
  ]),
  plant('target-has-replayed-all', 'The target takes the lease when it has replayed past the shutdown checkpoint', [
    'core/rules/switchover.ts',
    'if (postgres.replayedLsn <= shutdown) {',
    'if (postgres.replayedLsn < 0n) {',
  ]),
  plant('shutdown-was-clean', 'A handover needs the shutdown checkpoint of a stop of its own', [
    'core/rules/switchover.ts',
    "if (postgres.shutdown !== 'clean' || !stoppedByUs) {",
    'if (postgres.checkpointLsn < 0n) {',
  ]),
  plant('given-back-only-when-gone', 'The proof that PostgreSQL is gone precedes every release of the lease', [
    'core/rules/switchover.ts',
    "  if (postgres.state === 'stopped') {\n    // It left",
    "  if (postgres.state === 'stopped' || postgres.state === 'standby') {\n    // It left",
  ]),
  plant('handover-compares-the-operation', 'A handover compares the very revision of the operation', [
    'agent/store-lease.ts',
    'conditions: [same(keys.operation, action.operation), same(keys.lease, action.lease)],',
    'conditions: [],',
  ]),
  plant('poolers-drain-first', 'The primary stops only when every pooler is drained', [
    'core/rules/switchover.ts',
    'if (missing.length > 0) return awaitDrain(',
    'if (missing.length > 99) return awaitDrain(',
  ]),
  plant('poolers-await-a-writable', 'Poolers resume only towards an address confirmed writable', [
    'core/rules/pooler.ts',
    "known ?? (changesNothing || view.nowMs >= holdAtMs ? 'last-known' : null)",
    "known ?? 'last-known'",
  ]),
  plant('pause-ends', 'No pooler stays paused', [
    'core/rules/pooler.ts',
    "(view.nowMs >= overAtMs ? 'pause-limit-passed' : null)",
    'null',
  ]),
  plant('lost-watch-rereads', 'A watch that can not go on is begun anew', [
    'agent/store-mirror.ts',
    'this.#following = this.#readUntilAnswered();\n        },',
    '},',
  ]),
  plant(
    'settled-before-set',
    'An agent rewrites the record once after starting, before it sets what a server waits for',
    ['core/rules/primary.ts', '    settleFirst(situation) ??\n', ''],
    [
      'core/rules/upkeep.ts',
      "(view.postgres.state === 'primary' ? view.postgres.syncSet : null) ?? demanded",
      'demanded',
    ],
    ['core/rules/upkeep.ts', "(situation.lease.is === 'mine' && owedSettling(situation) === null)", 'true'],
  ),
];

export function findPlant(name: string): Plant | undefined {
  return plants.find((known) => known.name === name);
}

/** Throws when the source is not what the plant was made for. */
export function sow(plant: Plant, file: string, source: string): string {
  let text = source;
  for (const edit of plant.edits) {
    if (edit.file !== file) continue;
    const parts = text.split(edit.find);
    if (parts.length !== 2) throw new Error(`${plant.name}: found ${parts.length - 1} times in ${file}: ${edit.find}`);
    text = parts.join(edit.replace);
  }
  return text;
}
