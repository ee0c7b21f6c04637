/** The examples, the documentation and the JSON schema know the same keys as the loader. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadClusterFile } from './load.ts';
import { clusterJsonSchema } from './schema.ts';

const examples = new URL('../../examples/', import.meta.url);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Every place that may hold a value, with `*` for any name, and the description that stands nearest. */
function places(schema: unknown, path: readonly string[] = [], above = ''): readonly (readonly [string, string])[] {
  if (!isRecord(schema)) return [];
  const description = typeof schema.description === 'string' ? schema.description : above;
  const branches = Array.isArray(schema.anyOf) ? schema.anyOf : [];
  const properties = isRecord(schema.properties) ? Object.entries(schema.properties) : [];
  return [
    [path.join('.'), description] as const,
    ...branches.flatMap((branch) => places(branch, path, description)),
    ...properties.flatMap(([key, child]) => places(child, [...path, key])),
    ...(isRecord(schema.additionalProperties) ? places(schema.additionalProperties, [...path, '*'], description) : []),
  ];
}

const all = places(clusterJsonSchema()).filter(([path]) => path !== '');
const keys = [...new Set(all.map(([path]) => path))].filter((path) => !path.endsWith('*')).sort();

function holds(value: unknown, path: readonly string[]): boolean {
  const [step, ...rest] = path;
  if (step === undefined) return true;
  if (!isRecord(value)) return false;
  if (step === '*') return Object.values(value).some((child) => holds(child, rest));
  return Object.hasOwn(value, step) && holds(value[step], rest);
}

describe('the keys of the cluster file', () => {
  it('are all described', () => {
    expect(all.filter(([, description]) => description === '')).toEqual([]);
    expect(keys).toContain('nodes.database.*.priority');
  });

  it('are all in docs/config.md, and no others', () => {
    const text = readFileSync(new URL('../../docs/config.md', import.meta.url), 'utf8');
    const documented = [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, key]) => key);
    expect(documented.sort()).toEqual(keys);
  });

  it('are all in examples/complete.yaml, or in that of another kind of repository', () => {
    const files = ['complete.yaml', 'backups-azure.yaml', 'backups-sftp.yaml'].map((name): unknown =>
      parse(readFileSync(new URL(name, examples), 'utf8')),
    );
    const absent = ([file]: readonly unknown[]) => keys.filter((key) => !holds(file, key.split('.')));
    expect(absent(files)).toEqual(['backups.account', 'backups.host_key']);
    expect(absent(files.slice(1))).not.toContain('backups.account');
    expect(absent(files.slice(2))).not.toContain('backups.host_key');
  });
});

describe('the examples', () => {
  it.each(readdirSync(examples).filter((name) => name.endsWith('.yaml')))('%s loads without a warning', (name) => {
    expect(loadClusterFile(new URL(name, examples).pathname)).toMatchObject({ ok: true, warnings: [] });
  });

  it('are the ones that the documentation names', () => {
    expect(
      readdirSync(examples)
        .filter((name) => name !== 'app')
        .sort(),
    ).toEqual([
      'app-fleet.yaml',
      'backups-azure.yaml',
      'backups-sftp.yaml',
      'complete.yaml',
      'minimal.yaml',
      'three-nodes.yaml',
      'two-datacenters.yaml',
    ]);
  });
});
