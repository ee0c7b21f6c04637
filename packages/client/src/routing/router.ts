/**
 * Chooses the server for a read among those that may serve it.
 *
 * Invariant: a router names one of the candidates that it was given, or none; then the primary serves. Which servers are
 * candidates at all is not its part: see eligible.ts. Chance is an argument, so that a choice can be repeated in a test.
 */
export interface Candidate {
  readonly name: string;
  readonly role: 'primary' | 'replica';
  /** As declared; `null`: not said. */
  readonly datacenter: string | null;
  /** In the pool's own datacenter; everybody is near where none is declared. */
  readonly isNear: boolean;
  /** As last measured; `null`: not known. 0 for the primary. */
  readonly lagMs: number | null;
  readonly lagBytes: number | null;
}

export interface Router {
  /** For explanations and events. */
  readonly name: string;
  /** Called again with those that are left when the chosen one failed. `draw` answers a number from 0 to below 1. */
  choose(candidates: readonly Candidate[], draw: () => number): Candidate | undefined;
}

/** Each replica in turn. The primary takes its turn as well with `primary: true`. */
export function roundRobin({ primary = false }: { readonly primary?: boolean } = {}): Router {
  let turn = 0;
  return {
    name: 'round robin',
    choose(candidates) {
      const pool = primary ? candidates : replicasOf(candidates);
      if (pool.length === 0) return undefined;
      turn = (turn + 1) % Number.MAX_SAFE_INTEGER;
      return pool[turn % pool.length];
    },
  };
}

/**
 * By weight, as shares of all reads: `{ primary: 1, replica1: 2 }`. `primary` is whoever is that at the moment, any other key
 * a server's name. Whoever is not named has 1 as a replica and 0 as the primary; 0 is never chosen.
 */
export function weighted(weights: Readonly<Record<string, number>>): Router {
  for (const [name, weight] of Object.entries(weights)) {
    if (!Number.isFinite(weight) || weight < 0) throw new RangeError(`weight of ${name}: a number, 0 or more`);
  }
  const said = new Map(Object.entries(weights));
  const weightOf = ({ name, role }: Candidate): number =>
    role === 'primary' ? (said.get('primary') ?? said.get(name) ?? 0) : (said.get(name) ?? 1);
  return {
    name: 'weighted',
    choose(candidates, draw) {
      const all = candidates.reduce((sum, candidate) => sum + weightOf(candidate), 0);
      let left = draw() * all;
      let last: Candidate | undefined;
      for (const candidate of candidates) {
        const weight = weightOf(candidate);
        if (weight === 0) continue;
        left -= weight;
        last = candidate;
        if (left < 0) break;
      }
      // Sums of fractions may end a hair too early.
      return last;
    },
  };
}

/** The replica with the least lag in bytes, by chance among equals; one of unknown lag comes last. */
export function leastLag(): Router {
  return {
    name: 'least lag',
    choose(candidates, draw) {
      const replicas = replicasOf(candidates);
      const lagOf = ({ lagBytes }: Candidate): number => lagBytes ?? Number.MAX_VALUE;
      const least = Math.min(...replicas.map(lagOf));
      const equals = replicas.filter((candidate) => lagOf(candidate) === least);
      return equals[Math.floor(draw() * equals.length)];
    },
  };
}

/** Those of the pool's own datacenter as long as there are any that `router` would choose. */
export function nearestFirst(router: Router): Router {
  return {
    name: `nearest first, ${router.name}`,
    choose(candidates, draw) {
      const near = candidates.filter(({ isNear }) => isNear);
      if (near.length === candidates.length) return router.choose(candidates, draw);
      return router.choose(near, draw) ?? router.choose(candidates, draw);
    },
  };
}

function replicasOf(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.filter(({ role }) => role === 'replica');
}
