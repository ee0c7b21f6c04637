/** Whether parameters, settings of databases and rules of access can be what they are declared to be. Pure. */
import { whyOwned } from '../core/owned-parameters.ts';
import type { Spec } from '../core/spec.ts';
import { whyNotOfDatabase } from './database-settings.ts';
import { type Finding, quote } from './issue.ts';
import type { ClusterFile } from './schema.ts';

/** What is wrong with it, a full stop, what would be right. */
function owned(name: string): string | undefined {
  const reason = whyOwned(name);
  return reason === undefined ? undefined : `is set by Understudy: ${reason}. Remove it`;
}

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
    const message =
      earlier !== undefined
        ? `is the same parameter as ${earlier}. Keep one of them`
        : !/^[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)?$/.test(key) || key.length > 127
          ? `${quote(name)} is no name of a parameter. Such as work_mem or pg_stat_statements.max`
          : whyNot(key);
    return message === undefined ? [] : [{ path: [...above, name], at: 'key' as const, message }];
  });
}

export function parameterDisagreements(file: ClusterFile): readonly Finding[] {
  const ofServer = typeof file.postgres === 'object' ? (file.postgres.parameters ?? {}) : {};
  const ofDatabases = Object.entries(file.databases ?? {}).flatMap(([name, value]) => {
    const settings = typeof value === 'object' && value !== null ? (value.settings ?? {}) : {};
    return parameterNames(settings, ['databases', name, 'settings'], (key) => owned(key) ?? whyNotOfDatabase(key));
  });
  return [...parameterNames(ofServer, ['postgres', 'parameters'], owned), ...ofDatabases];
}

/** Each of them once. */
export function extensionDisagreements(file: ClusterFile): readonly Finding[] {
  return Object.entries(file.databases ?? {}).flatMap(([name, value]) => {
    const extensions = typeof value === 'object' && value !== null ? (value.extensions ?? []) : [];
    return extensions.flatMap((extension, index): readonly Finding[] => {
      if (extensions.indexOf(extension) === index) return [];
      const path = ['databases', name, 'extensions', index];
      return [{ path, at: 'value', message: `${quote(extension)} is there twice. Each extension once` }];
    });
  });
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
