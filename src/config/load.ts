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
import { repair } from './repair.ts';
import { clusterFile } from './schema.ts';
import { type ShapeFinding, shapeFindings } from './shape-findings.ts';
import { readYaml, type YamlText } from './yaml-text.ts';

export type { ConfigIssue } from './issue.ts';
export { formatIssues } from './issue.ts';

export type LoadedClusterFile =
  | {
      readonly ok: true;
      readonly spec: Spec;
      readonly warnings: readonly ConfigIssue[];
      /** `backups.credentials`: a path on this machine, for `apply` to read. No part of the spec. */
      readonly credentialsFile: string | null;
    }
  | {
      readonly ok: false;
      readonly issues: readonly ConfigIssue[];
      /** There is no text to say anything of: why, with the file's path. */
      readonly unreadable?: string;
    };

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

/** Misspelt keys may hide others. */
const mostRounds = 4;

/**
 * What else is wrong behind mistakes of shape, as far as it is clear what was meant. Disagreements are only looked for
 * when every mistake of shape could be mended: what would be found without a value could be wrong.
 */
function behind(value: unknown, findings: readonly ShapeFinding[], rounds = mostRounds): readonly Finding[] {
  const { value: guess, written } = repair(value, findings);
  const parsed = clusterFile.safeParse(guess);
  const asWritten = (finding: Finding): Finding => ({ ...finding, path: written(finding.path) });
  if (parsed.success) return disagreements(parsed.data, normalise(parsed.data)).map(asWritten);
  const known = new Set(findings.map(({ path }) => JSON.stringify(path)));
  const all = shapeFindings(clusterFile, guess, parsed.error);
  const further = all.filter(({ path }) => !known.has(JSON.stringify(path)));
  if (further.length === 0 || rounds === 0) return [];
  return [...further, ...behind(guess, all, rounds - 1)].map(asWritten);
}

/** PostgreSQL reads its parameters itself, and 0640 is another number there. */
function isParameter([section, part]: readonly (string | number)[]): boolean {
  return section === 'postgres' && part === 'parameters';
}

/** `fileName` stands in the messages. */
export function parseClusterText(text: string, fileName: string): LoadedClusterFile {
  const yaml = readYaml(text, isParameter);
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
  const warnings = sortIssues(placed(yaml, fileName, doubts(spec)));
  return { ok: true, spec, warnings, credentialsFile: parsed.data.backups?.credentials ?? null };
}

function unreadable(path: string, because: string): LoadedClusterFile {
  return { ok: false, issues: [], unreadable: `the cluster file ${path} ${because}` };
}

/** The kernel's code alone: its text has the path once more. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'ENOENT') return 'there is none';
  return code === 'EACCES' ? 'it may not be read' : describeError(error);
}

/** Reads at most 1 MiB of UTF-8. The messages name the file by its last part. */
export function loadClusterFile(path: string): LoadedClusterFile {
  const fileName = basename(path);
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return unreadable(path, 'is no file');
    if (stat.size > 1024 * 1024)
      return fileIssue(fileName, 'the file is too large. At most 1 MiB; is it a cluster file?');
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    return parseClusterText(text, fileName);
  } catch (error) {
    if (error instanceof TypeError) return fileIssue(fileName, 'the file is not UTF-8. A text file in UTF-8');
    return unreadable(path, `can't be read: ${reasonOf(error)}`);
  }
}
