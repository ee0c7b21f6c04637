/** The plan's part about everything that isn't a server, a database or an application. Pure. */
import type { Change, Effect, PlanPart, Refusal } from './plan-change.ts';
import { needsRestart } from './postmaster-parameters.ts';
import { type AccessRule, type NodeName, nodesOfRole, type Spec } from './spec.ts';
import { type TlsService, tlsPolicyOf } from './tls-policy.ts';

type Value = string | number | null;

interface Setting {
  readonly what: string;
  readonly where: 'cluster' | 'database' | 'app';
  readonly effect: Effect;
  /** Only of refused ones. */
  readonly reason?: string;
  readonly of: (spec: Spec) => Value;
}

const forever = 'Certificates and store keys carry it: a cluster with another one is another cluster';
const elsewhere = 'The servers and everyone who connects would have to move at once: this version does not do that';
const nodeFiles: Effect = 'no effect on running agents: they use the store of their node files';

const settings: readonly Setting[] = [
  { what: 'cluster', where: 'cluster', effect: 'refused', reason: forever, of: (spec) => spec.cluster },
  { what: 'domain', where: 'cluster', effect: 'refused', reason: forever, of: (spec) => spec.domain },
  { what: 'contact', where: 'cluster', effect: 'now', of: (spec) => spec.contact },
  {
    what: 'postgres version',
    where: 'database',
    effect: 'refused',
    reason: 'A major upgrade converts the data: this version does not do that',
    of: (spec) => spec.postgres.major,
  },
  { what: 'postgres port', where: 'database', effect: 'refused', reason: elsewhere, of: (spec) => spec.postgres.port },
  {
    what: 'data directory',
    where: 'database',
    effect: 'refused',
    reason: 'The data would stay where it is: declare new nodes instead, then remove these',
    of: (spec) => spec.postgres.dataDirectory,
  },
  {
    what: 'binary directory',
    where: 'database',
    effect: 'restart, deferred',
    of: (spec) => spec.postgres.binaryDirectory,
  },
  { what: 'WAL budget (MB)', where: 'database', effect: 'reload', of: (spec) => spec.postgres.walBudgetMb },
  { what: 'store endpoints', where: 'cluster', effect: nodeFiles, of: (spec) => spec.store.endpoints.join(' ') },
  { what: 'store CA', where: 'database', effect: nodeFiles, of: (spec) => spec.store.caFile },
  { what: 'pooler port', where: 'app', effect: 'restart, deferred', of: (spec) => spec.poolers.port },
  { what: 'pooler mode', where: 'app', effect: 'reload', of: (spec) => spec.poolers.mode },
  { what: 'pool size', where: 'app', effect: 'reload', of: (spec) => spec.poolers.poolSize },
  { what: 'pooler clients', where: 'app', effect: 'reload', of: (spec) => spec.poolers.maxClients },
  { what: 'query wait timeout (s)', where: 'app', effect: 'reload', of: (spec) => spec.poolers.queryWaitTimeoutS },
  { what: 'commit', where: 'database', effect: 'reload', of: (spec) => spec.durability.commit },
  { what: 'k (standbys that a commit waits for)', where: 'cluster', effect: 'now', of: (spec) => spec.durability.k },
  { what: 'without standby', where: 'cluster', effect: 'now', of: (spec) => spec.durability.withoutStandby },
  {
    what: 'unheard: accept loss after (ms)',
    where: 'cluster',
    effect: 'now',
    of: (spec) => spec.durability.acceptLossAfterMs ?? 'wait',
  },
  {
    what: 'loss limit (bytes)',
    where: 'cluster',
    effect: 'now',
    of: (spec) => spec.failover.lossLimitBytes ?? 'unlimited',
  },
  { what: 'drain timeout (ms)', where: 'cluster', effect: 'now', of: (spec) => spec.switchover.drainTimeoutMs },
  { what: 'stop timeout (ms)', where: 'cluster', effect: 'now', of: (spec) => spec.switchover.stopTimeoutMs },
  { what: 'promote timeout (ms)', where: 'cluster', effect: 'now', of: (spec) => spec.switchover.promoteTimeoutMs },
  { what: 'long transaction (ms)', where: 'cluster', effect: 'now', of: (spec) => spec.switchover.longTransactionMs },
  { what: 'max lag (bytes)', where: 'cluster', effect: 'now', of: (spec) => spec.switchover.maxLagBytes },
  { what: 'lease TTL (ms)', where: 'cluster', effect: 'now', of: (spec) => spec.lease.ttlMs },
  { what: 'life of certificates (ms)', where: 'cluster', effect: 'now', of: (spec) => spec.tls.certificateLifeMs },
  { what: 'TLS of PostgreSQL', where: 'database', effect: 'reload', of: (spec) => tlsText(spec, 'postgresql') },
  { what: 'TLS of poolers', where: 'app', effect: 'reload', of: (spec) => tlsText(spec, 'pooler') },
  { what: 'TLS of the API', where: 'cluster', effect: 'now', of: (spec) => tlsText(spec, 'api') },
  {
    what: "TLS of the store's clients",
    where: 'database',
    effect: 'now',
    of: (spec) => tlsText(spec, 'store'),
  },
];

function tlsText({ tls }: Spec, service: TlsService): string {
  const because = tls.exceptions.find((exception) => exception.service === service)?.because;
  return `${tlsPolicyOf(tls, service)}${because === undefined ? '' : ` (${because})`}`;
}

/** New nodes start with the new value; nothing changes on them. */
function placesIn(current: Spec, next: Spec, where: Setting['where']): readonly NodeName[] {
  if (where === 'cluster') return [];
  const known = new Set(current.nodes.map(({ name }) => name));
  return nodesOfRole(next, where).flatMap(({ name }) => (known.has(name) ? [name] : []));
}

function text(value: Value | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

function parameterChanges(current: Spec, next: Spec): readonly Change[] {
  const [before, after] = [current.postgres.parameters, next.postgres.parameters];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .sort()
    .filter((name) => before[name] !== after[name])
    .map((name) => ({
      kind: 'change',
      nodes: placesIn(current, next, 'database'),
      what: name,
      from: text(before[name]),
      to: text(after[name]),
      effect: needsRestart(name) ? 'restart, deferred' : 'reload',
    }));
}

function ruleText({ user, database, from, method }: AccessRule): string {
  return `access of ${user} to ${database === 'all' ? 'all databases' : database} from ${from ?? 'the socket'} by ${method}`;
}

function accessChanges(current: Spec, next: Spec): readonly Change[] {
  const nodes = placesIn(current, next, 'database');
  const [before, after] = [current.postgres.hba.map(ruleText), next.postgres.hba.map(ruleText)];
  const of = (kind: 'add' | 'remove', texts: readonly string[]) =>
    texts.map((what): Change => ({ kind, nodes, what, from: null, to: null, effect: 'reload' }));
  const added = of(
    'add',
    after.filter((each) => !before.includes(each)),
  );
  const gone = of(
    'remove',
    before.filter((each) => !after.includes(each)),
  );
  if (added.length + gone.length > 0 || before.join() === after.join()) return [...added, ...gone];
  // The first rule that fits decides.
  return [
    {
      kind: 'change',
      nodes,
      what: 'order of postgres.hba',
      from: before.join('; '),
      to: after.join('; '),
      effect: 'reload',
    },
  ];
}

function datacenterChanges(current: Spec, next: Spec): readonly Change[] {
  const describe = (spec: Spec, name: string): string | undefined => {
    if (!Object.hasOwn(spec.datacenters, name)) return undefined;
    const datacenter = spec.datacenters[name];
    return [datacenter?.provider, datacenter?.region].filter((part) => part !== null && part !== undefined).join(' ');
  };
  const names = [...new Set([...Object.keys(current.datacenters), ...Object.keys(next.datacenters)])];
  return names.flatMap((name): readonly Change[] => {
    const [from, to] = [describe(current, name), describe(next, name)];
    if (from === to) return [];
    const kind = from === undefined ? 'add' : to === undefined ? 'remove' : 'change';
    return [{ kind, nodes: [], what: `datacenter ${name}`, from: text(from), to: text(to), effect: 'now' }];
  });
}

export function planSettings(current: Spec, next: Spec): PlanPart {
  const differing = settings.filter((setting) => setting.of(current) !== setting.of(next));
  const changes = differing.map(
    (setting): Change => ({
      kind: 'change',
      nodes: placesIn(current, next, setting.where),
      what: setting.what,
      from: text(setting.of(current)),
      to: text(setting.of(next)),
      effect: setting.effect,
    }),
  );
  const refusals = differing.flatMap(({ what, reason, of }): readonly Refusal[] =>
    reason === undefined ? [] : [{ what: `${what} ${of(current) ?? 'default'} -> ${of(next) ?? 'default'}`, reason }],
  );
  return {
    changes: [
      ...changes,
      ...parameterChanges(current, next),
      ...accessChanges(current, next),
      ...datacenterChanges(current, next),
    ],
    destroyed: [],
    interrupted: [],
    refusals,
  };
}
