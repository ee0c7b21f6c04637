/**
 * Whether the store goes on without certain hosts, by where its members are declared. Pure.
 *
 * A member is taken to be on the node whose address its endpoint names; one that is named otherwise is on no node.
 * Refuses to know more than is declared: which members run now is the store's to say.
 */
import type { NodeName, Spec } from './spec.ts';

/**
 * Without the host of `node`, and those of `silent`: whose agent does not answer may be gone, and may not. `null`: a majority
 * of the members is elsewhere.
 */
export function lostStore({ nodes, store }: Spec, node: NodeName, silent: readonly NodeName[] = []): string | null {
  const carriers = nodes.flatMap(({ name, address }) => {
    const members = store.endpoints.filter((endpoint) => hostOf(endpoint) === address).length;
    return members > 0 && (name === node || silent.includes(name)) ? [{ name, members }] : [];
  });
  const all = store.endpoints.length;
  const gone = carriers.reduce((sum, { members }) => sum + members, 0);
  if (gone === 0 || 2 * (all - gone) > all) return null;
  const what = gone === all ? 'every member of the store' : `${gone} of the store's ${all} members`;
  const doubtful = carriers.filter(({ name }) => name !== node).map(({ name }) => name);
  return `${what} would be gone${doubtful.length === 0 ? '' : `, with the silent ${doubtful.join(', ')}`}`;
}

/** `https://10.0.0.1:2379`, `https://[fd00::1]:2379`. */
function hostOf(endpoint: string): string {
  const [, six, four] = /^[a-z]+:\/\/(?:\[([^\]]*)\]|([^:/]*))/.exec(endpoint) ?? [];
  return six ?? four ?? '';
}
