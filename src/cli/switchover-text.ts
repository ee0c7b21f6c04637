/** How a preflight reads: every blocker with what to do about it, and what would be done in order. */
import type { Preflight } from '../api/contract/orders.ts';
import type { Refusal } from '../core/decision.ts';
import type { Operation } from '../core/operation.ts';
import type { Paint } from './terminal.ts';
import { countText } from './words.ts';

/** Only for those whose text doesn't say it already. */
const advice: Readonly<Record<string, (preflight: Preflight) => string>> = {
  'operation-active': () => 'wait until it has ended: understudy status --watch',
  'not-primary': () => 'look who holds the lease: understudy status',
  'lease-not-renewed': () => 'see whether the store answers: understudy doctor',
  'primary-not-running': ({ from }) => `find out why: understudy why --node ${from}`,
  busy: () => 'wait until it has ended: understudy status --watch',
  'unknown-node': () => 'choose one of them: --to NODE',
  'not-a-database-node': () => 'choose one of them: --to NODE',
  'already-primary': () => 'nothing needs to be done, or choose another: --to NODE',
  'no-standby': () => 'add a database node, or allow failover to one',
  'failover-never': () => 'choose another: --to NODE',
  'target-silent': ({ to }) => `see whether its agent runs, or choose another: understudy doctor --node ${to}`,
  'target-not-standby': ({ to }) => `find out why, or choose another: understudy why --node ${to}`,
  'target-not-streaming': ({ to }) => `find out why, or choose another: understudy why --node ${to}`,
  'target-timeline': ({ to }) => `wait until it has caught up: understudy why --node ${to}`,
  'pooler-unreachable': () => 'see whether its agent runs: understudy doctor',
  'unknown-pooler': () => 'leave it out of --without-pooler',
};

export function blockerLines(preflight: Preflight, paint: Paint): readonly string[] {
  return preflight.blockers.flatMap((blocker) => {
    const what = adviceFor(blocker, preflight);
    return [
      `${paint('red', '✗')} ${blocker.text} ${paint('dim', `(${blocker.blockedBy})`)}`,
      ...(what === null ? [] : [`  -> ${what}`]),
    ];
  });
}

export function adviceFor(blocker: Refusal, preflight: Preflight): string | null {
  return advice[blocker.blockedBy]?.(preflight) ?? null;
}

export function preflightLines(preflight: Preflight, paint: Paint): readonly string[] {
  const poolers = countText(preflight.poolers.length, 'pooler');
  return [
    `${paint('green', '✓')} preflight  ${preflight.from} -> ${preflight.to}, ${poolers}, nothing blocking`,
    ...preflight.warnings.map(({ text }) => `${paint('yellow', '!')} ${text}`),
  ];
}

/** What a switchover does, in order. */
export function planLines({ from, to, poolers }: Preflight, forceAfterMs: number | null): readonly string[] {
  const force = forceAfterMs === null ? '' : `; after ${forceAfterMs / 1_000} s end the sessions that hold it up`;
  const steps = [
    `checkpoint on ${from} and ${to}`,
    poolers.length === 0 ? 'no pooler to pause' : `pause and drain the poolers on ${poolers.join(', ')}${force}`,
    `stop PostgreSQL on ${from} and publish where its WAL ends`,
    `${to} confirms that it has replayed all of it and takes the lease`,
    `promote ${to}`,
    ...(poolers.length === 0 ? [] : [`point the poolers to ${to} and resume`]),
    `start ${from} again as a standby`,
  ];
  return steps.map((step, index) => `${index + 1}. ${step}`);
}

/** What is being waited for now. */
export function waitingFor(operation: Operation): string {
  switch (operation.phase) {
    case 'pausing':
      return `poolers drain, then ${operation.from} stops`;
    case 'stopped':
      return `${operation.to} takes over`;
    case 'handed-over':
      return `${operation.to} is promoted, poolers resume`;
    case 'finished':
    case 'undone':
      return operation.phase;
  }
}
