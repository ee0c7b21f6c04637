/**
 * Keys that are no misspellings: later versions will have them. Whoever writes one is told so, and not asked whether
 * something else was meant.
 */

type Path = readonly (string | number)[];

const everywhere = ['outage', 'hold', 'maintenance', 'alarms'] as const;

/** By what stands before the key; `*` is any name. */
const below: Readonly<Record<string, readonly string[]>> = {
  '': [
    'dashboard',
    'discovery',
    'edge',
    'environments',
    'hands_off',
    'notices',
    'rehearsals',
    'services',
    'sessions',
    'templates',
    'webhooks',
  ],
  'nodes.*.*': ['cascade', 'upstream', 'services', 'pooler'],
  'nodes.*': ['cascade', 'upstream', 'services', 'pooler'],
  postgres: ['archive', 'backups', 'synchronous', 'upgrade'],
  store: ['managed', 'members'],
  poolers: ['sessions', 'session_port', 'listen', 'tls'],
  'databases.*': ['backups', 'durability', 'lag_limit'],
  'applications.*': ['durability', 'read_lag', 'sessions', 'weight', 'routes'],
  switchover: ['window', 'announce'],
  lease: ['promises'],
  tls: ['ciphers', 'protocols'],
};

export function isLaterKey(path: Path, key: string): boolean {
  if (everywhere.some((word) => word === key)) return true;
  return Object.entries(below).some(([pattern, keys]) => matches(pattern, path) && keys.includes(key));
}

function matches(pattern: string, path: Path): boolean {
  const parts = pattern === '' ? [] : pattern.split('.');
  return parts.length === path.length && parts.every((part, index) => part === '*' || part === path[index]);
}
