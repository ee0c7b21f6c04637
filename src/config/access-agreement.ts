/** Whether parameters, settings of databases and rules of access can be what they are declared to be. Pure. */
import { whyOwned } from '../core/owned-parameters.ts';
import type { Spec } from '../core/spec.ts';
import { type Finding, quote } from './issue.ts';
import type { ClusterFile } from './schema.ts';

/** What a database's sessions may not begin with: it would act as, or load, something else for everyone. */
const never: Readonly<Record<string, string>> = {
  role: 'logins act as their application by it',
  session_authorization: 'it is no setting of a database',
  session_preload_libraries: 'libraries are loaded by postgres.parameters alone',
  local_preload_libraries: 'libraries are loaded by postgres.parameters alone',
};

function parameterNames(
  written: Readonly<Record<string, unknown>>,
  above: readonly string[],
  whyNot: (name: string) => string | undefined,
): readonly Finding[] {
  const seen = new Map<string, string>();
  return Object.keys(written).flatMap((name) => {
    const key = name.toLowerCase();
    const earlier = seen.get(key);
    seen.set(key, name);
    const reason = whyNot(key);
    const message =
      earlier !== undefined
        ? `is the same parameter as ${earlier}. Keep one of them`
        : !/^[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)?$/.test(key) || key.length > 127
          ? `${quote(name)} is no name of a parameter. Such as work_mem or pg_stat_statements.max`
          : reason !== undefined
            ? `is set by Understudy: ${reason}. Remove it`
            : undefined;
    return message === undefined ? [] : [{ path: [...above, name], at: 'key' as const, message }];
  });
}

export function parameterDisagreements(file: ClusterFile): readonly Finding[] {
  const ofServer = typeof file.postgres === 'object' ? (file.postgres.parameters ?? {}) : {};
  const ofDatabases = Object.entries(file.databases ?? {}).flatMap(([name, value]) => {
    const settings = typeof value === 'object' && value !== null ? (value.settings ?? {}) : {};
    return parameterNames(settings, ['databases', name, 'settings'], (key) => never[key] ?? whyOwned(key));
  });
  return [...parameterNames(ofServer, ['postgres', 'parameters'], whyOwned), ...ofDatabases];
}

export function accessDisagreements(file: ClusterFile, spec: Spec): readonly Finding[] {
  const rules = typeof file.postgres === 'object' ? (file.postgres.hba ?? []) : [];
  const names = new Set(spec.databases.map(({ name }) => name));
  return rules.flatMap(({ from, method, database }, index): readonly Finding[] => {
    const path = ['postgres', 'hba', index];
    const isLocal = from === undefined || from === null;
    if (isLocal && method !== undefined && method !== null && method !== 'peer') {
      const message = `${method} is for connections over TLS. An address under 'from', or peer`;
      return [{ path: [...path, 'method'], at: 'value', message }];
    }
    if (!isLocal && method === 'peer') {
      return [{ path: [...path, 'method'], at: 'value', message: `is for the socket alone. scram-sha-256 or cert` }];
    }
    if (database === 'all' || database === 'postgres' || names.has(database)) return [];
    const message = `names the database ${quote(database)}, which is not declared. One under databases, or all`;
    return [{ path: [...path, 'database'], at: 'value', message }];
  });
}
