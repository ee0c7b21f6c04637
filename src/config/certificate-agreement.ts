/** Whether the own certificates of a declaration agree with its nodes. Pure. */
import { clusterHostCovered } from '../core/own-certificates.ts';
import type { Spec } from '../core/spec.ts';
import { type Finding, quote } from './issue.ts';
import type { ClusterFile } from './schema.ts';
import { closest } from './spelling.ts';

export function certificateDisagreements(file: ClusterFile, spec: Spec): readonly Finding[] {
  const known = [...new Set(spec.nodes.flatMap(({ roles }) => roles))];
  return spec.certificates.flatMap(({ name, roles }) => [
    ...hosts(spec, name),
    ...lives(file, name),
    ...roles.flatMap((role, index) => roleOf(name, role, index, { known, before: roles.slice(0, index) })),
  ]);
}

/** Of nodes: each role once. */
export function roleDisagreements(spec: Spec): readonly Finding[] {
  return spec.nodes.flatMap(({ name, role, roles }) =>
    roles.flatMap((one, index) =>
      roles.indexOf(one) === index ? [] : [twice(['nodes', role, name, 'roles', index], one)],
    ),
  );
}

function hosts(spec: Spec, name: string): readonly Finding[] {
  const host = clusterHostCovered(spec, name);
  if (host === null) return [];
  const message = `stands for ${host}, a host of the cluster itself. A name that is no node's, such as one in a domain of its own`;
  return [{ path: ['certificates', name], at: 'key', message }];
}

function lives(file: ClusterFile, name: string): readonly Finding[] {
  const written = file.certificates?.[name];
  if (typeof written?.days !== 'number' || typeof written.life !== 'number') return [];
  const message = `says the same as 'days'. One of them`;
  return [{ path: ['certificates', name, 'life'], at: 'key', message }];
}

function roleOf(
  name: string,
  role: string,
  index: number,
  { known, before }: { readonly known: readonly string[]; readonly before: readonly string[] },
): readonly Finding[] {
  const path = ['certificates', name, 'roles', index];
  if (before.includes(role)) return [twice(path, role)];
  if (known.includes(role)) return [];
  const near = closest(role, known);
  const right = near === undefined ? `Give it to one: 'roles: [${role}]'` : `Did you mean '${near}'?`;
  return [{ path, at: 'value', message: `${quote(role)} is no role of any node. ${right}` }];
}

function twice(path: Finding['path'], role: string): Finding {
  return { path, at: 'value', message: `${quote(role)} is there twice. Each role once` };
}
