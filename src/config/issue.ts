/**
 * What is wrong with a configuration file, where, and what would be right.
 *
 * A `Problem` knows the path of a key; an `Issue` knows the place in a file as well. Both always say two things: the
 * mistake, and the remedy.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';

export type Path = readonly (string | number)[];
export type Severity = 'error' | 'warning';

export interface Problem {
  readonly path: Path;
  /** Which of the two the mistake is in. */
  readonly at: 'key' | 'value';
  readonly severity: Severity;
  readonly wrong: string;
  readonly right: string;
}

/** Lines and columns count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface ConfigIssue extends Place {
  readonly file: string;
  /** `nodes.database.pg0.iad1.address`; empty for the file as a whole. */
  readonly path: string;
  readonly severity: Severity;
  readonly wrong: string;
  readonly right: string;
}

export function mistake(path: Path, wrong: string, right: string, at: Problem['at'] = 'value'): Problem {
  return { path, at, severity: 'error', wrong, right };
}

export function caution(path: Path, wrong: string, right: string, at: Problem['at'] = 'value'): Problem {
  return { path, at, severity: 'warning', wrong, right };
}

export function issueAt(problem: Problem, file: string, place: Place): ConfigIssue {
  const { severity, wrong, right } = problem;
  return { file, ...place, path: pathText(problem.path), severity, wrong, right };
}

/** List positions count from 1 for people: `store.endpoints[2]`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part + 1}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}

/** By place in the file, errors before warnings; what is said twice is said once. */
export function sortIssues(issues: readonly ConfigIssue[]): readonly ConfigIssue[] {
  const unique = new Map(issues.map((issue) => [formatIssue(issue), issue]));
  return [...unique.values()].sort(
    (a, b) => a.line - b.line || a.column - b.column || a.severity.localeCompare(b.severity),
  );
}

/** `cluster.yaml:12:5 nodes.db2.address: "10.0.1" is no address. Give an IPv4 or IPv6 address, such as 10.0.1.10.` */
export function formatIssue(issue: ConfigIssue): string {
  const subject = issue.path === '' ? '' : `${issue.path}: `;
  const severity = issue.severity === 'warning' ? 'warning: ' : '';
  return `${issue.file}:${issue.line}:${issue.column} ${severity}${subject}${formatText(issue)}`;
}

export function formatText({ wrong, right }: Pick<Problem, 'wrong' | 'right'>): string {
  return `${wrong}. ${right}${/[.?!]$/.test(right) ? '' : '.'}`;
}

/** One error with a line per issue. */
export function invalidConfig(issues: readonly ConfigIssue[]): UnderstudyError {
  return new UnderstudyError('CONFIG_INVALID', issues.map(formatIssue).join('\n'));
}

/** A value as it may be shown in a message: short, on one line. */
export function shown(value: unknown): string {
  if (value === null) return 'an empty value';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}
