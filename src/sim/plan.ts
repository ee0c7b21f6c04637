/**
 * What a seed stands for: how large the cluster is, what will go wrong in it and when, and what operators ask for.
 *
 * A plan is data: printed with a failing seed, and made shorter by leaving things out (shrink.ts). Each seed first draws
 * which kinds of fault exist in its world at all (swarm: any of them, or those of one theme), then when each begins: at
 * some time, or shortly after something that an agent tells people; and whom it hits: a node by name, whoever holds the
 * lease, or whoever told it.
 */
import { type DurabilitySpec, defaultDurability } from '../core/declared-durability.ts';
import type { NodeName } from '../core/spec.ts';
import { type FaultKind, faultKinds, faultOf } from './faults/catalogue.ts';
import { themes } from './faults/themes.ts';
import { holder, type PlannedCommand, type PlannedFault, speaker, type When } from './planned-fault.ts';
import { stories } from './stories/catalogue.ts';
import type { Story } from './stories/story.ts';
import { Random } from './world/random.ts';

export interface Plan {
  readonly seed: string;
  /** Which story it tells; `null`: none. */
  readonly story: string | null;
  readonly databases: number;
  readonly apps: number;
  readonly writersEach: number;
  readonly everyMs: number;
  /** How long things go wrong, from the cluster's first second on. */
  readonly troubleMs: number;
  readonly faults: readonly PlannedFault[];
  readonly commands: readonly PlannedCommand[];
  readonly durability: DurabilitySpec;
  /** `null`: what nobody here ever loses. */
  readonly lossLimitBytes: number | null;
  /** What stays broken when everything else has healed; `null`: nothing does. */
  readonly lostForEver: LostNode | null;
}

export interface LostNode {
  readonly node: NodeName;
  readonly how: FaultKind;
}

/** What nobody may have to wait for. */
const lasting = [
  'host-crashed',
  'server-frozen',
  'postmaster-frozen',
  'disk-full',
  'agent-dead',
  'node-frozen',
  'cut-from-all',
  'start-fails',
] as const satisfies readonly FaultKind[];

/** In the middle of what these begin, a fault is most likely to find something. */
const interesting = [
  'lease.taken',
  'switchover.started',
  'switchover.stopped',
  'switchover.handed_over',
  'failover.cut_off',
  'failover.ballot',
  'failover.decided',
  'postgres.promoted',
  'postgres.stopped',
  'durability.changed',
  'standby.follows',
  'pooler.paused',
  'act.start',
  'act.promote',
  'act.stop',
  'act.clone',
];
/** A plan's times count as if the cluster had formed in this time, however long it really takes. */
export const settlingMs = 8_000;
/** From when a holder gives up until the last candidate has taken over, with the usual TTL. */
const leaseTimesMs = [4_500, 7_500] as const;

/** Does an agent that lives mend this by itself, so that the node must be whole again in the end? */
export function isCurable(how: FaultKind): boolean {
  return how === 'server-frozen' || how === 'postmaster-frozen';
}

/** In how many worlds a story is told. */
const storyShare = 0.3;
/** Declared limits of loss, in bytes; a record has 64. */
const lossLimits = [0, 640, 6_400];

/** Any, or close to the times that the lease itself knows: there, what is off by a little shows. */
function durationOf(random: Random, troubleMs: number): number {
  return random.chance(0.3) ? random.between(...leaseTimesMs) : random.skewed(50, troubleMs);
}

/** `told`: the story that it must tell; left out: drawn as well. */
export function planOf(seed: string, told?: Story): Plan {
  const random = new Random(`plan ${seed}`);
  const drawn = random.chance(storyShare) ? random.pick(stories) : null;
  const story = told ?? drawn;
  const databases = random.pick(story?.databases ?? [2, 3, 3, 3, 3, 4, 5]);
  const apps = random.integer(1, 2);
  const troubleMs = Math.max(story?.troubleMs ?? 0, random.integer(10_000, 35_000));
  const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
  const nodes: Nodes = { database: names('db', databases), app: names('app', apps) };
  const fromMs = settlingMs + random.between(0, 2_000);
  const isAlone = story?.isAlone === true;
  const beside = drawFaults(random, nodes, troubleMs, story === null ? null : 1);
  const faults = [...(story?.faults(random, fromMs) ?? []), ...(isAlone ? [] : beside)];
  const asked = isAlone ? [] : drawCommands(random, nodes, troubleMs, story === null ? [0, 0, 1, 2, 4] : [0, 0, 0, 1]);
  const isLost = story === null && faults.length > 0 && databases > 2 && random.chance(0.3);
  const lostForEver = isLost ? { node: random.pick(nodes.database), how: random.pick(lasting) } : null;
  return {
    seed,
    story: story?.name ?? null,
    databases,
    apps,
    writersEach: random.integer(1, 3),
    everyMs: random.pick([40, 80, 150]),
    troubleMs,
    faults,
    commands: [...(story?.commands?.(random, fromMs) ?? []), ...asked],
    durability: durabilityOf(seed, isLost ? databases - 1 : databases, story),
    lossLimitBytes: lossLimitOf(seed, isLost, story),
    lostForEver,
  };
}

interface Nodes {
  readonly database: readonly string[];
  readonly app: readonly string[];
}

/** `most`: how many at the most; `null`: what the kind of world allows. */
function drawFaults(random: Random, nodes: Nodes, troubleMs: number, most: number | null): readonly PlannedFault[] {
  const isThemed = random.chance(0.5);
  const kinds = isThemed
    ? random.pick(themes).filter(() => random.chance(0.6))
    : faultKinds.filter(() => random.chance(random.pick([0.1, 0.2, 0.4])));
  const many = most === null ? random.integer(isThemed ? 2 : 0, 8) : random.integer(0, most);
  const faults: PlannedFault[] = [];
  for (let index = 0; index < many && kinds.length > 0; index += 1) {
    const kind = random.pick(kinds);
    const { on } = faultOf(kind);
    const when = drawWhen(random, troubleMs);
    const byRole = on === 'database' && random.chance(0.65);
    const node = byRole ? random.pick('event' in when ? [speaker, speaker, holder] : [holder]) : random.pick(nodes[on]);
    const other = random.pick(nodes.database.filter((name) => name !== node));
    faults.push({ kind, node, other, when, forMs: durationOf(random, troubleMs) });
  }
  return faults;
}

function drawWhen(random: Random, troubleMs: number): When {
  return random.chance(0.5)
    ? { event: random.pick(interesting), nth: random.pick([1, 1, 1, 2, 3, 4]), delayMs: random.skewed(0.1, 400) }
    : { atMs: settlingMs + random.between(0, troubleMs) };
}

function drawCommands(
  random: Random,
  nodes: Nodes,
  troubleMs: number,
  many: readonly number[],
): readonly PlannedCommand[] {
  const asked = random.pick(many);
  return Array.from({ length: asked }, () => ({
    what: random.pick(['switchover', 'switchover', 'switchover', 'cancel', 'reinit', 'restart'] as const),
    node: random.pick(nodes.database),
    when: { atMs: settlingMs + random.between(0, troubleMs) },
  }));
}

/** A stream of its own: what else a seed stands for does not depend on it. `left`: database nodes that may be counted on. */
function durabilityOf(seed: string, left: number, story: Story | null): DurabilitySpec {
  if (story !== null) return { ...defaultDurability, ...story.durability };
  const random = new Random(`durability ${seed}`);
  if (random.chance(0.5)) return defaultDurability;
  return {
    commit: 'local',
    k: random.integer(1, left - 1),
    withoutStandby: random.pick(['wait', 'degrade'] as const),
    acceptLossAfterMs: random.pick([null, null, 10_000]),
  };
}

/** Where a node stays lost, the cluster may have to wait for what only that one has. */
function lossLimitOf(seed: string, isLost: boolean, story: Story | null): number | null {
  if (story !== null) return story.lossLimitBytes ?? null;
  const random = new Random(`loss ${seed}`);
  return !isLost && random.chance(0.2) ? random.pick(lossLimits) : null;
}
