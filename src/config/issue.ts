/** What is wrong with a cluster file, where, and what would be right. */

/** Before its place in the file is known. */
export interface Finding {
  readonly path: readonly (string | number)[];
  readonly at: 'key' | 'value';
  /** What is wrong, a full stop, what would be right. */
  readonly message: string;
}

export interface ConfigIssue {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** Keys joined by dots; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

/** Who has more to mend reads no more than that at once. */
const mostShown = 50;

/** One line each: `cluster.yaml:12:5 nodes.database.db2: what is wrong. What would be right`. At most 50, and how many more. */
export function formatIssues(issues: readonly ConfigIssue[]): readonly string[] {
  const shown = issues.slice(0, mostShown).map(({ file, line, column, path, message }) => {
    const subject = path === '' ? '' : `${path}: `;
    return `${file}:${line}:${column} ${subject}${message}`;
  });
  const more = issues.length - shown.length;
  return more === 0 ? shown : [...shown, `and ${more} more like these`];
}

/** By position, each once. */
export function sortIssues(issues: readonly ConfigIssue[]): readonly ConfigIssue[] {
  const distinct = new Map(
    issues.map((issue) => [`${issue.line}:${issue.column} ${issue.path} ${issue.message}`, issue]),
  );
  return [...distinct.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** A value or a name in a message: short, in quotes, on one line. */
export function quote(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value !== 'string') return String(value);
  const shown = JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
  const plain = shown.slice(1, -1).replaceAll('\\"', '"');
  // JSON leaves those behind the letters as they are; a terminal does not.
  return `'${plain.replace(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`)}'`;
}
