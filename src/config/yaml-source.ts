/**
 * Reads the text of a configuration file (YAML 1.2): a value, and the place of every key in it. All mistakes of the text
 * are reported together. Never throws, whatever the text.
 */
import { LineCounter, parseDocument } from 'yaml';
import { type ConfigIssue, issueAt, mistake, type Path, type Place } from './issue.ts';
import { findExcess } from './yaml-limits.ts';
import { PlainValues, pathKey } from './yaml-values.ts';

export interface YamlSource {
  readonly value: unknown;
  /** Of the nearest part of the path that the file has. */
  place(path: Path, at: 'key' | 'value'): Place;
  /** How a number at this path is written in the file; `null` when there is none. */
  spelling(path: Path): string | null;
}

export interface YamlReading {
  /** `null` when the text was not understood far enough to look at what it says. */
  readonly source: YamlSource | null;
  readonly issues: readonly ConfigIssue[];
}

/** The library's codes that need more than its own message. */
const remedies: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'Indent with spaces',
  BAD_INDENT: 'Align it with the lines that it belongs to',
  BAD_SCALAR_START: 'Put quotes around the value',
  BLOCK_AS_IMPLICIT_KEY: 'Put quotes around a value that has a colon and a space in it, and check the indentation',
  MISSING_CHAR: 'Add it',
  MULTIPLE_DOCS: 'Keep one cluster in one file, without --- in between',
};

export function readYaml(input: string, file: string): YamlReading {
  const text = input.startsWith('\ufeff') ? input.slice(1) : input;
  const excess = findExcess(text);
  const lines = new LineCounter();
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const complain = (offset: number, path: Path, wrong: string, right: string): ConfigIssue =>
    issueAt(mistake(path, wrong, right), file, placeOf(offset));
  if (excess !== null) {
    lines.addNewLine(0);
    for (let at = text.indexOf('\n'); at !== -1 && at < excess.offset; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
    return { source: null, issues: [complain(excess.offset, [], excess.wrong, excess.right)] };
  }
  // Duplicates are found in yaml-values.ts: the library compares every key with every other.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, version: '1.2' });
  const issues = document.errors.map((error) =>
    complain(error.pos[0], [], lowerFirst(error.message), remedies[error.code] ?? 'Correct the line, or the one above it'),
  );
  const { explicit, version } = document.directives?.yaml ?? { explicit: false, version: '1.2' };
  if (explicit === true && version !== '1.2') issues.push(complain(0, [], `YAML ${version} reads words like on as something else`, 'Remove the %YAML line'));
  if (issues.length > 0) return { source: null, issues };
  const values = new PlainValues((offset) => placeOf(offset).line);
  const value = values.read(document.contents);
  const source: YamlSource = {
    value,
    place(path, at) {
      const spot = values.spots.get(pathKey(path));
      if (spot !== undefined) return placeOf(spot[at]);
      return path.length === 0 ? { line: 1, column: 1 } : this.place(path.slice(0, -1), 'key');
    },
    spelling: (path) => values.spots.get(pathKey(path))?.spelling ?? null,
  };
  return { source, issues: values.complaints.map(({ offset, path, wrong, right }) => complain(offset, path, wrong, right)) };
}

function lowerFirst(text: string): string {
  const [line = ''] = text.split('\n');
  return line.charAt(0).toLowerCase() + line.slice(1).replace(/[.;].*$/, '');
}
