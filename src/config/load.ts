/**
 * Reads the cluster file: text, shape, agreement of its parts, and last the complete spec.
 *
 * Invariant: either a spec that every part of the cluster can work with, or every mistake with its place. Never throws,
 * whatever the text is.
 */
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Spec } from '../core/spec.ts';
import { describeError } from '../errors/understudy-error.ts';
import { disagreements, doubts } from './agreement.ts';
import { type ConfigIssue, type Finding, sortIssues } from './issue.ts';
import { normalise } from './normalise.ts';
import { clusterFile } from './schema.ts';
import { isMissing, shapeFindings } from './shape-findings.ts';
import { readYaml, type YamlText } from './yaml-text.ts';

export type { ConfigIssue } from './issue.ts';
export { formatIssues } from './issue.ts';

export type LoadedClusterFile =
  | { readonly ok: true; readonly spec: Spec; readonly warnings: readonly ConfigIssue[] }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

function placed(yaml: YamlText, file: string, findings: readonly Finding[]): readonly ConfigIssue[] {
  return findings.map(({ path, at, message }) => ({ file, ...yaml.place(path, at), path: path.join('.'), message }));
}

function failure(issues: readonly ConfigIssue[]): LoadedClusterFile {
  return { ok: false, issues: sortIssues(issues) };
}

function fileIssue(file: string, message: string): LoadedClusterFile {
  return failure([{ file, line: 1, column: 1, path: '', message }]);
}

function isMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Disagreements behind unknown keys, so that a misspelling doesn't hide them. Other mistakes of shape do: what would be
 * found without the values could be wrong.
 */
function behind(value: unknown, findings: readonly Finding[]): readonly Finding[] {
  const pruned: unknown = structuredClone(value);
  for (const { path } of findings) {
    let at: unknown = pruned;
    for (const step of path.slice(0, -1))
      at = typeof at === 'object' && at !== null ? Reflect.get(at, step) : undefined;
    if (typeof at === 'object' && at !== null) Reflect.deleteProperty(at, path.at(-1) ?? '');
  }
  const unknownKeys = findings.every((each) => each.at === 'key' && !isMissing(each));
  const parsed = unknownKeys ? clusterFile.safeParse(pruned) : undefined;
  return parsed?.success === true ? disagreements(parsed.data, normalise(parsed.data)) : [];
}

/** `fileName` stands in the messages. */
export function parseClusterText(text: string, fileName: string): LoadedClusterFile {
  const yaml = readYaml(text);
  const mistakes = yaml.mistakes.map((each) => ({ ...each, file: fileName, path: each.path.join('.') }));
  if (!isMap(yaml.value)) {
    if (mistakes.length > 0) return failure(mistakes);
    const what = yaml.value === null ? 'the file is empty' : 'the file is not a map';
    return fileIssue(fileName, `${what}. At least cluster, domain, nodes and postgres, as in examples/minimal.yaml`);
  }
  if (!yaml.wellFormed) return failure(mistakes);
  const parsed = clusterFile.safeParse(yaml.value);
  if (!parsed.success) {
    const findings = shapeFindings(clusterFile, yaml.value, parsed.error);
    return failure([...mistakes, ...placed(yaml, fileName, [...findings, ...behind(yaml.value, findings)])]);
  }
  const spec = normalise(parsed.data);
  const issues = [...mistakes, ...placed(yaml, fileName, disagreements(parsed.data, spec))];
  if (issues.length > 0) return failure(issues);
  return { ok: true, spec, warnings: sortIssues(placed(yaml, fileName, doubts(spec))) };
}

/** Reads at most 1 MiB of UTF-8. The messages name the file by its last part. */
export function loadClusterFile(path: string): LoadedClusterFile {
  const fileName = basename(path);
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return fileIssue(fileName, 'is no file. The path of a cluster file');
    if (stat.size > 1024 * 1024)
      return fileIssue(fileName, 'the file is too large. At most 1 MiB; is it a cluster file?');
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    return parseClusterText(text, fileName);
  } catch (error) {
    if (error instanceof TypeError) return fileIssue(fileName, 'the file is not UTF-8. A text file in UTF-8');
    return fileIssue(fileName, `the file can't be read: ${describeError(error)}. A file that may be read`);
  }
}
