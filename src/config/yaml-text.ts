/**
 * YAML text to plain values, with the place of each.
 *
 * Refuses what a declaration has no use for and what makes YAML dangerous or ambiguous: anchors and aliases, tags,
 * several documents, keys that aren't text, the same key twice, more than 1 MiB, more than a few levels.
 *
 * A number is a number, except where its spelling matters: 0640 is octal to PostgreSQL and decimal to YAML 1.2.
 */
import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { quote } from './issue.ts';
import { findExcess } from './yaml-limits.ts';

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface YamlMistake extends Place {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface YamlText {
  readonly value: unknown;
  readonly mistakes: readonly YamlMistake[];
  /** Was it YAML at all? If not, the value is a guess. */
  readonly wellFormed: boolean;
  /** The place of a key or value; the nearest one above it if it isn't there. */
  place(path: readonly (string | number)[], at: 'key' | 'value'): Place;
}

const largest = 1024 * 1024;
const deepest = 12;
/** More are only consequences of the first. */
const mostSyntaxErrors = 20;

interface Located {
  readonly value: unknown;
  readonly keyOffset: number;
  readonly valueOffset: number;
  readonly children: ReadonlyMap<string | number, Located>;
}

type Report = (offset: number, path: readonly (string | number)[], message: string) => void;

/** Whether numbers at a path are read as they are spelt, as text. */
export type Verbatim = (path: readonly (string | number)[]) => boolean;

interface Reading {
  readonly report: Report;
  readonly verbatim: Verbatim;
}

function offsetOf(node: unknown, otherwise: number): number {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? (node.range?.[0] ?? otherwise) : otherwise;
}

function readMap(node: unknown, path: readonly (string | number)[], reading: Reading): Map<string, Located> {
  const { report } = reading;
  const children = new Map<string, Located>();
  if (!isMap(node)) return children;
  for (const pair of node.items) {
    if (!isPair(pair)) continue;
    const offset = offsetOf(pair.key, offsetOf(node, 0));
    const key = isScalar(pair.key) ? pair.key.value : undefined;
    if (typeof key !== 'string') {
      report(offset, path, 'a key is not a text. Put it in quotes');
    } else if (key === '__proto__') {
      report(offset, [...path, key], 'this name is reserved. Choose another one');
    } else if (children.has(key)) {
      report(offset, [...path, key], 'the key is there twice. Keep one of them');
    } else {
      children.set(key, read(pair.value, offset, [...path, key], reading));
    }
  }
  return children;
}

/** YAML's own octal numbers (0o640) mean nothing to PostgreSQL: they stay numbers, and so do .inf and .nan. */
function spelling({ value, source }: { readonly value: unknown; readonly source?: string | undefined }): unknown {
  const ownSpelling = typeof value === 'number' && Number.isFinite(value) && source?.startsWith('0o') === false;
  return ownSpelling ? source : value;
}

function read(node: unknown, keyOffset: number, path: readonly (string | number)[], reading: Reading): Located {
  const { report } = reading;
  const valueOffset = offsetOf(node, keyOffset);
  const leaf = (value: unknown): Located => ({ value, keyOffset, valueOffset, children: new Map() });
  if (path.length > deepest) {
    report(valueOffset, path.slice(0, deepest), 'is nested too deeply. Nothing here needs so many levels');
    return leaf(null);
  }
  if (isAlias(node)) {
    report(valueOffset, path, 'aliases are not supported. Write the value itself');
    return leaf(null);
  }
  if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined) {
    report(valueOffset, path, 'anchors are not supported. Write the value out where it is needed');
  }
  if ((isScalar(node) || isMap(node) || isSeq(node)) && node.tag !== undefined) {
    report(valueOffset, path, 'tags are not supported. A plain value');
  }
  if (isMap(node)) {
    const children = readMap(node, path, reading);
    const value = Object.fromEntries([...children].map(([key, child]) => [key, child.value]));
    return { value, keyOffset, valueOffset, children };
  }
  if (isSeq(node)) {
    const items = node.items.map((item, index) => read(item, valueOffset, [...path, index], reading));
    return { value: items.map((item) => item.value), keyOffset, valueOffset, children: new Map(items.entries()) };
  }
  if (!isScalar(node)) return leaf(null);
  return leaf(reading.verbatim(path) ? spelling(node) : node.value);
}

function placeIn(root: Located, lines: LineCounter): YamlText['place'] {
  return (path, at) => {
    let node = root;
    let found = 0;
    for (const step of path) {
      const next = node.children.get(step);
      if (next === undefined) break;
      node = next;
      found += 1;
    }
    // Of a short form the whole value is meant, of a missing key the place where it should be.
    const there = found === path.length || (at === 'value' && node.children.size === 0);
    const offset = at === 'value' && there ? node.valueOffset : node.keyOffset;
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
}

function refused(message: string, at: Place = { line: 1, column: 1 }): YamlText {
  return { value: null, wellFormed: false, mistakes: [{ ...at, path: [], message }], place: () => at };
}

/** Of an offset in a text, without parsing it. */
export function placeInText(text: string, offset: number): Place {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** Never throws. Values are only complete without mistakes. */
export function readYaml(text: string, verbatim: Verbatim = () => false): YamlText {
  if (text.length > largest) return refused('the file is too large. At most 1 MiB; is it a cluster file?');
  try {
    const excess = findExcess(text);
    if (excess !== null) return refused(excess.message, placeInText(text, excess.offset));
    return readDocument(text, verbatim);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : '';
    return refused(`the file can't be read as YAML (${reason}). YAML 1.2 as in the examples`);
  }
}

function readDocument(text: string, verbatim: Verbatim): YamlText {
  const lines = new LineCounter();
  const mistakes: YamlMistake[] = [];
  const report: Report = (offset, path, message) => {
    const { line, col } = lines.linePos(offset);
    mistakes.push({ line: Math.max(1, line), column: Math.max(1, col), path, message });
  };
  // Duplicate keys are found while reading, all at once; the parser's own search takes quadratic time.
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  // An unresolved tag is found again while reading.
  const unreadable = [...document.errors, ...document.warnings].filter(({ code }) => code !== 'TAG_RESOLVE_FAILED');
  for (const { code, pos, message } of unreadable.slice(0, mostSyntaxErrors)) {
    const what = code === 'MULTIPLE_DOCS' ? 'there is more than one document. One declaration per file' : undefined;
    report(
      pos[0],
      [],
      what ?? `${quote(message.split('\n')[0]).slice(1, -1)}. YAML 1.2, with special characters in quotes`,
    );
  }
  const root = read(document.contents, 0, [], { report, verbatim });
  return { value: root.value, wellFormed: unreadable.length === 0, mistakes, place: placeIn(root, lines) };
}
