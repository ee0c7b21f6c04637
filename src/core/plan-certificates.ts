/** The plan's part about own certificates: on which nodes one comes, goes, or becomes another. Pure. */
import { ownCertificatesOf } from './own-certificates.ts';
import type { Change, PlanPart } from './plan-change.ts';
import type { NodeName, OwnCertificateSpec, ReloadHook, Spec } from './spec.ts';

export function planCertificates(current: Spec | null, next: Spec): PlanPart {
  const names = [...(current?.certificates ?? []), ...next.certificates].map(({ name }) => name);
  const changes = [...new Set(names)].flatMap((name) => changesOf(name, current, next));
  return { changes, destroyed: [], interrupted: [], refusals: [] };
}

function changesOf(name: string, current: Spec | null, next: Spec): readonly Change[] {
  const [before, after] = [current === null ? [] : nodesWith(current, name), nodesWith(next, name)];
  const [added, removed] = [
    after.filter((node) => !before.includes(node)),
    before.filter((node) => !after.includes(node)),
  ];
  const what = `certificate ${name}`;
  const [old, wanted] = [find(current, name), find(next, name)];
  return [
    ...(added.length > 0 || (old === undefined && wanted !== undefined)
      ? [{ kind: 'add' as const, nodes: added, what, from: null, to: null, effect: 'now' as const }]
      : []),
    ...(removed.length > 0 || (old !== undefined && wanted === undefined)
      ? [{ kind: 'remove' as const, nodes: removed, what, from: null, to: null, effect: 'now' as const }]
      : []),
    ...(old === undefined || wanted === undefined ? [] : differences(old, wanted, after)),
  ];
}

function differences(
  before: OwnCertificateSpec,
  after: OwnCertificateSpec,
  nodes: readonly NodeName[],
): readonly Change[] {
  const values = [
    ['life (ms)', String(before.lifeMs), String(after.lifeMs)],
    ['roles', before.roles.join(' '), after.roles.join(' ')],
    ['reload hook', hookText(before.reload), hookText(after.reload)],
    ['files', filesText(before), filesText(after)],
  ] as const;
  return values
    .filter(([, from, to]) => from !== to)
    .map(([what, from, to]) => ({
      kind: 'change',
      nodes,
      what: `${what} of certificate ${after.name}`,
      from,
      to,
      effect: 'now',
    }));
}

function nodesWith(spec: Spec, name: string): readonly NodeName[] {
  return spec.nodes
    .filter((node) => ownCertificatesOf(spec, node.name).some((own) => own.name === name))
    .map((node) => node.name);
}

function find(spec: Spec | null, name: string): OwnCertificateSpec | undefined {
  return spec?.certificates.find((certificate) => certificate.name === name);
}

/** As it would be written; JSON, so that no argument passes for two. */
function hookText(hook: ReloadHook): string {
  return hook === null ? 'none' : JSON.stringify(hook);
}

function filesText({ files: { owner, group, mode } }: OwnCertificateSpec): string {
  return `${owner ?? "agent's"}:${group ?? "agent's"} ${mode}`;
}
