/** The plan's part about databases and the applications that use them. Pure. */
import { rightsOf } from './application-roles.ts';
import { type FoundDatabase, isSameCharacters } from './applied.ts';
import type { Change, PlanFacts, PlanPart } from './plan-change.ts';
import {
  type ApplicationFilesSpec,
  type ApplicationSpec,
  type DatabaseSpec,
  type NodeName,
  nodesOfRole,
  plainDatabase,
  type Spec,
} from './spec.ts';

type DatabasePart = Pick<PlanPart, 'changes' | 'refusals'>;

const characters = ['encoding', 'locale'] as const;

/** What a database keeps for good, and is declared to be otherwise. */
function planCharacters(
  before: DatabaseSpec | undefined,
  after: DatabaseSpec,
  found: FoundDatabase | undefined,
  nodes: readonly NodeName[],
): DatabasePart {
  const parts = characters.flatMap((key) => {
    const [from, to] = [before?.[key] ?? null, after[key]];
    if (from === to) return [];
    const made = found?.[key] ?? from;
    const isRefused = to !== null && made !== null && !isSameCharacters(made, to);
    const what = `${key} of ${after.name}`;
    const change = { kind: 'change' as const, nodes, what, from: isRefused ? made : from, to };
    const known = made === null ? '' : ` (${made})`;
    const reason = `A database keeps the characters that it was made with${known}: declare a new one, and move the data there`;
    return [{ change, refusal: isRefused ? { what, reason } : null }];
  });
  return {
    changes: parts.map(({ change, refusal }) => ({ ...change, effect: refusal === null ? 'now' : 'refused' })),
    refusals: parts.flatMap(({ refusal }) => (refusal === null ? [] : [refusal])),
  };
}

function planDatabase(
  before: DatabaseSpec | undefined,
  after: DatabaseSpec,
  found: FoundDatabase | undefined,
  nodes: readonly NodeName[],
): DatabasePart {
  const { name, owner } = after;
  const old = before ?? plainDatabase(name, owner);
  const change = (what: string, from: string | null, to: string | null): readonly Change[] =>
    from === to ? [] : [{ kind: 'change', nodes, what: `${what} of ${name}`, from, to, effect: 'now' }];
  const added: readonly Change[] =
    before !== undefined
      ? []
      : [
          {
            kind: 'add',
            nodes,
            what: `database ${name}`,
            from: null,
            to: owner === name ? null : `owned by ${owner}`,
            effect: 'now',
          },
        ];
  const limit = (value: number | null) => (value === null ? null : String(value));
  const fixed = planCharacters(before, after, found, nodes);
  const settings = [...new Set([...Object.keys(old.settings), ...Object.keys(after.settings)])].sort();
  return {
    changes: [
      ...added,
      ...change('owner', old.owner, owner),
      ...fixed.changes,
      ...change('connection limit', limit(old.connectionLimit), limit(after.connectionLimit)),
      ...settings.flatMap((key) => change(key, old.settings[key] ?? null, after.settings[key] ?? null)),
      ...extensionChanges(old, after, nodes),
    ],
    refusals: fixed.refusals,
  };
}

function extensionChanges(before: DatabaseSpec, after: DatabaseSpec, nodes: readonly NodeName[]): readonly Change[] {
  const added = after.extensions.filter((name) => !before.extensions.includes(name));
  const gone = before.extensions.filter((name) => !after.extensions.includes(name));
  const what = (name: string) => `extension ${name} of ${after.name}`;
  return [
    ...added.map((name): Change => ({ kind: 'add', nodes, what: what(name), from: null, to: null, effect: 'now' })),
    ...gone.map(
      (name): Change => ({
        kind: 'remove',
        nodes,
        what: what(name),
        from: '(stays until dropped by hand)',
        to: null,
        effect: 'now',
      }),
    ),
  ];
}

export function planDatabases(current: Spec | null, next: Spec, facts: PlanFacts): PlanPart {
  const nodes =
    facts.primary === null
      ? nodesOfRole(next, 'database')
          .slice(0, current === null ? 1 : 0)
          .map(({ name }) => name)
      : [facts.primary];
  const before = new Map((current?.databases ?? []).map((database) => [database.name, database]));
  const after = new Map(next.databases.map((database) => [database.name, database]));
  const found = new Map(facts.databases.map((database) => [database.name, database]));
  const planned = next.databases.map((database) =>
    planDatabase(before.get(database.name), database, found.get(database.name), nodes),
  );
  const removed = [...before.keys()]
    .filter((name) => !after.has(name))
    .map(
      (name): Change => ({
        kind: 'remove',
        nodes,
        what: `database ${name}`,
        from: '(nobody may connect; its data stays until apply --drop)',
        to: null,
        effect: 'now',
      }),
    );
  return {
    changes: [...planned.flatMap((part) => part.changes), ...removed],
    destroyed: [],
    interrupted: removed.map(({ what }) => `connections to ${what}`),
    refusals: planned.flatMap((part) => part.refusals),
  };
}

const fields = ['database', 'rights', 'poolSize', 'outage', 'rotateEveryMs'] as const;
const words = {
  database: 'database',
  rights: 'rights',
  poolSize: 'pool size',
  outage: 'outage policy',
  rotateEveryMs: 'rotation (ms)',
} as const;

function access(name: string, kind: 'add' | 'remove', nodes: readonly NodeName[]): readonly Change[] {
  return nodes.length === 0 ? [] : [{ kind, nodes, what: `application ${name}`, from: null, to: null, effect: 'now' }];
}

/** `www-data:agent's 0640` */
function filesText({ owner, group, mode }: ApplicationFilesSpec): string {
  return `${owner ?? "agent's"}:${group ?? "agent's"} ${mode}`;
}

function changed(before: ApplicationSpec, after: ApplicationSpec): readonly Change[] {
  const change = (what: string, from: string | null, to: string | null): readonly Change[] =>
    from === to
      ? []
      : [{ kind: 'change', nodes: after.nodes, what: `${what} of ${after.name}`, from, to, effect: 'now' }];
  const values = [
    ...fields.flatMap((field) => {
      const [from = null, to = null] = [before[field], after[field]].map((value) =>
        value === null ? null : String(value),
      );
      return change(words[field], from, to);
    }),
    ...change('files', filesText(before.files), filesText(after.files)),
  ];
  return [
    ...access(
      after.name,
      'add',
      after.nodes.filter((node) => !before.nodes.includes(node)),
    ),
    ...values,
    ...access(
      after.name,
      'remove',
      before.nodes.filter((node) => !after.nodes.includes(node)),
    ),
  ];
}

/** The role that its logins act as: where that becomes another one, its sessions end. */
function actsAs({ databases }: Pick<Spec, 'databases'>, application: ApplicationSpec): string {
  const owner = databases.find(({ name }) => name === application.database)?.owner;
  return owner !== undefined && rightsOf(application, owner) === 'owner' ? owner : application.name;
}

/** What an application can't do any more. */
function lost(before: ApplicationSpec, after: ApplicationSpec | undefined, isMoved: boolean): readonly string[] {
  if (after === undefined) return [`access of ${before.name}`];
  const gone = before.nodes.filter((node) => !after.nodes.includes(node));
  return [
    ...(gone.length === 0 ? [] : [`access of ${before.name} on ${gone.join(', ')}`]),
    ...(before.rights !== 'ro' && after.rights === 'ro' ? [`writes of ${before.name}`] : []),
    ...(isMoved ? [`sessions of ${before.name}`] : []),
    ...(before.database === after.database ? [] : [`access of ${before.name} to ${before.database}`]),
  ];
}

/** What goes on and ends by this, application by application. */
function interruptedBy(current: Spec | null, next: Spec): readonly string[] {
  if (current === null) return [];
  return current.applications.flatMap((before) => {
    const after = next.applications.find(({ name }) => name === before.name);
    const isMoved = after !== undefined && actsAs(current, before) !== actsAs(next, after);
    return lost(before, after, isMoved);
  });
}

export function planApplications(current: Spec | null, next: Spec): PlanPart {
  const before = new Map((current?.applications ?? []).map((application) => [application.name, application]));
  const after = new Map(next.applications.map((application) => [application.name, application]));
  const removed = [...before.values()].filter(({ name }) => !after.has(name));
  const written = [...after.values()].flatMap((application) => {
    const old = before.get(application.name);
    return old === undefined ? access(application.name, 'add', application.nodes) : changed(old, application);
  });
  return {
    changes: [...written, ...removed.flatMap(({ name, nodes }) => access(name, 'remove', nodes))],
    destroyed: removed.map(({ name }) => `credentials of ${name}`),
    interrupted: interruptedBy(current, next),
    refusals: [],
  };
}
