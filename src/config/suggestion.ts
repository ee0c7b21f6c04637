/** Guesses which of the known words was meant. */

/** Other systems' words for the same things, and plurals that are easily got wrong. */
const synonyms: Readonly<Record<string, string>> = {
  apps: 'applications',
  app_nodes: 'app',
  addr: 'address',
  bin: 'binaries',
  data_dir: 'data',
  data_directory: 'data',
  dbs: 'databases',
  dc: 'datacenter',
  dcs: 'datacenters',
  etcd: 'store',
  host: 'address',
  hosts: 'nodes',
  ip: 'address',
  major: 'version',
  master: 'primary',
  max_client_conn: 'max_clients',
  dcs_endpoints: 'endpoints',
  pgbouncer: 'poolers',
  pool_mode: 'mode',
  postgresql: 'postgres',
  settings: 'parameters',
  servers: 'nodes',
  user: 'owner',
};

/** `null` when nothing is near enough to be worth a guess. */
export function closest(word: string, candidates: readonly string[]): string | null {
  const plain = normal(word);
  const same = candidates.find((candidate) => normal(candidate) === plain);
  if (same !== undefined) return same;
  const synonym = synonyms[word.toLowerCase().replaceAll('-', '_')];
  if (synonym !== undefined && candidates.includes(synonym)) return synonym;
  const limit = Math.max(1, Math.floor(Math.min(plain.length, 24) / 3));
  let best: { readonly candidate: string; readonly distance: number } | null = null;
  for (const candidate of candidates) {
    const distance = editDistance(plain, normal(candidate), limit);
    if (distance <= limit && (best === null || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate ?? null;
}

/** `Did you mean address?`, or the known words when nothing is near. */
export function suggest(word: string, candidates: readonly string[]): string {
  const guess = closest(word, candidates);
  if (guess !== null) return `Did you mean ${guess}?`;
  const few = candidates.slice(0, 12).join(', ');
  return `Known here: ${few}${candidates.length > 12 ? ', …' : ''}`;
}

function normal(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Insertions, deletions, replacements and swaps of neighbours; more than `limit` is reported as `limit + 1`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? limit + 1;
}
