/** The plan's part about servers. Pure. */
import type { Change, PlanFacts, PlanPart, Refusal } from './plan-change.ts';
import { findNode, type NodeSpec, type Spec, slotName } from './spec.ts';

const fixed = ['address', 'role'] as const;
const free = ['datacenter', 'priority', 'failover', 'purpose', 'contact'] as const;

function text(value: string | number | null): string | null {
  return value === null ? null : String(value);
}

function whyFixed(field: 'address' | 'role', node: NodeSpec): Refusal {
  return {
    what: `${field} of ${node.name}`,
    reason: `A node keeps its ${field}: declare a new node under another name, then remove this one`,
  };
}

function changesOf(before: NodeSpec, after: NodeSpec): readonly Change[] {
  const roles = [before.roles.join(' '), after.roles.join(' ')] as const;
  const named = [...fixed, ...free].flatMap((field) =>
    before[field] === after[field]
      ? []
      : [
          {
            kind: 'change' as const,
            nodes: [after.name],
            what: field,
            from: text(before[field]),
            to: text(after[field]),
            effect: field === 'address' || field === 'role' ? ('refused' as const) : ('now' as const),
          },
        ],
  );
  const delayed = delayOf(before, after);
  if (roles[0] === roles[1]) return [...named, ...delayed];
  const [from, to] = roles.map((text) => (text === '' ? 'none' : text));
  return [
    ...named,
    ...delayed,
    { kind: 'change', nodes: [after.name], what: 'roles', from: from ?? null, to: to ?? null, effect: 'now' },
  ];
}

function delayOf(before: NodeSpec, after: NodeSpec): readonly Change[] {
  const [from, to] = [before.applyDelayMs, after.applyDelayMs];
  if (from === to) return [];
  return [
    { kind: 'change', nodes: [after.name], what: 'delay (ms)', from: text(from), to: text(to), effect: 'reload' },
  ];
}

function whyKept(node: NodeSpec, facts: PlanFacts): Refusal | null {
  if (node.role !== 'database') return null;
  const what = `removing ${node.name}`;
  if (facts.primary === null) {
    return {
      what,
      reason: 'It is not known which node is primary, and this one may be: wait until there is a primary',
    };
  }
  return facts.primary === node.name ? { what, reason: 'It is the primary: switch over to another node first' } : null;
}

/** What ends with a node that may be removed. */
function losses(node: NodeSpec): Pick<PlanPart, 'destroyed' | 'interrupted'> {
  switch (node.role) {
    case 'database':
      return { destroyed: [`replication slot ${slotName(node.name)}`], interrupted: [`reads on ${node.name}`] };
    case 'app':
      return { destroyed: [`credentials on ${node.name}`], interrupted: [`the pooler on ${node.name}`] };
    case 'witness':
      return { destroyed: [], interrupted: [] };
  }
}

function removal(node: NodeSpec, facts: PlanFacts): PlanPart {
  const refusal = whyKept(node, facts);
  const effect = refusal === null ? 'now' : 'refused';
  const what = `${node.role} node`;
  const change: Change = { kind: 'remove', nodes: [node.name], what, from: node.address, to: null, effect };
  if (refusal !== null) return { changes: [change], destroyed: [], interrupted: [], refusals: [refusal] };
  return { changes: [change], ...losses(node), refusals: [] };
}

function addition(node: NodeSpec): Change {
  return { kind: 'add', nodes: [node.name], what: `${node.role} node`, from: null, to: node.address, effect: 'now' };
}

export function planNodes(current: Spec | null, next: Spec, facts: PlanFacts): PlanPart {
  const removals = (current?.nodes ?? [])
    .filter(({ name }) => findNode(next, name) === undefined)
    .map((node) => removal(node, facts));
  const kept = next.nodes.flatMap((after) => {
    const before = current === null ? undefined : findNode(current, after.name);
    return before === undefined ? [] : [{ before, after }];
  });
  const added = next.nodes.filter(({ name }) => current === null || findNode(current, name) === undefined);
  return {
    changes: [
      ...added.map(addition),
      ...kept.flatMap(({ before, after }) => changesOf(before, after)),
      ...removals.flatMap((part) => part.changes),
    ],
    destroyed: removals.flatMap((part) => part.destroyed),
    interrupted: removals.flatMap((part) => part.interrupted),
    refusals: [
      ...kept.flatMap(({ before, after }) =>
        fixed.filter((field) => before[field] !== after[field]).map((field) => whyFixed(field, after)),
      ),
      ...removals.flatMap((part) => part.refusals),
    ],
  };
}
