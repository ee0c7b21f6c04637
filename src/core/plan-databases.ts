/** The plan's part about databases and the applications that use them. Pure. */
import type { Change, PlanFacts, PlanPart } from './plan-change.ts';
import { type ApplicationSpec, type NodeName, nodesOfRole, type Spec } from './spec.ts';

export function planDatabases(current: Spec | null, next: Spec, facts: PlanFacts): PlanPart {
  const nodes =
    facts.primary === null
      ? nodesOfRole(next, 'database')
          .slice(0, current === null ? 1 : 0)
          .map(({ name }) => name)
      : [facts.primary];
  const before = new Map((current?.databases ?? []).map((database) => [database.name, database]));
  const after = new Map(next.databases.map((database) => [database.name, database]));
  const written = next.databases.flatMap(({ name, owner }): readonly Change[] => {
    const what = `database ${name}`;
    const old = before.get(name);
    if (old === undefined)
      return [{ kind: 'add', nodes, what, from: null, to: owner === name ? null : `owned by ${owner}`, effect: 'now' }];
    if (old.owner === owner) return [];
    return [{ kind: 'change', nodes, what: `owner of ${name}`, from: old.owner, to: owner, effect: 'now' }];
  });
  const removed = [...before.keys()]
    .filter((name) => !after.has(name))
    .map(
      (name): Change => ({
        kind: 'remove',
        nodes,
        what: `database ${name}`,
        from: '(its data stay until dropped by hand)',
        to: null,
        effect: 'now',
      }),
    );
  return { changes: [...written, ...removed], destroyed: [], interrupted: [], refusals: [] };
}

const fields = ['database', 'rights', 'poolSize', 'outage'] as const;
const words = { database: 'database', rights: 'rights', poolSize: 'pool size', outage: 'outage policy' } as const;

function access(name: string, kind: 'add' | 'remove', nodes: readonly NodeName[]): readonly Change[] {
  return nodes.length === 0 ? [] : [{ kind, nodes, what: `application ${name}`, from: null, to: null, effect: 'now' }];
}

function changed(before: ApplicationSpec, after: ApplicationSpec): readonly Change[] {
  const values = fields.flatMap((field): readonly Change[] => {
    if (before[field] === after[field]) return [];
    const [from, to] = [before[field], after[field]].map((value) => (value === null ? null : String(value)));
    return [
      {
        kind: 'change',
        nodes: after.nodes,
        what: `${words[field]} of ${after.name}`,
        from: from ?? null,
        to: to ?? null,
        effect: 'now',
      },
    ];
  });
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

/** What an application can't do any more. */
function lost(before: ApplicationSpec, after: ApplicationSpec | undefined): readonly string[] {
  if (after === undefined) return [`access of ${before.name}`];
  const gone = before.nodes.filter((node) => !after.nodes.includes(node));
  return [
    ...(gone.length === 0 ? [] : [`access of ${before.name} on ${gone.join(', ')}`]),
    ...(before.rights === 'rw' && after.rights === 'ro' ? [`writes of ${before.name}`] : []),
    ...(before.database === after.database ? [] : [`access of ${before.name} to ${before.database}`]),
  ];
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
    interrupted: [...before.values()].flatMap((application) => lost(application, after.get(application.name))),
    refusals: [],
  };
}
