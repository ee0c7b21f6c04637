/**
 * From a YAML document to plain values, with the offset of every key and value. Refuses what has no plain value: tags,
 * keys that are no words, duplicate keys, and aliases that unfold without end.
 */
import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, type Scalar } from 'yaml';
import { type Path, shown } from './issue.ts';

export interface Spot {
  readonly key: number;
  readonly value: number;
  /** A number's own spelling: 0640 is another number in PostgreSQL than here. */
  readonly spelling: string | null;
}

export interface Complaint {
  readonly offset: number;
  readonly path: Path;
  readonly wrong: string;
  readonly right: string;
}

/** Nine lines of aliases can stand for a billion values. */
const maxValues = 50_000;
const maxDepth = 40;

export function pathKey(path: Path): string {
  return JSON.stringify(path);
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

export class PlainValues {
  readonly spots = new Map<string, Spot>();
  readonly complaints: Complaint[] = [];
  readonly #lineOf: (offset: number) => number;
  readonly #anchors = new Map<string, Node>();
  #values = 0;
  #isExhausted = false;

  constructor(lineOf: (offset: number) => number) {
    this.#lineOf = lineOf;
  }

  read(node: unknown, path: Path = [], keyOffset: number | null = null): unknown {
    const start = isNode(node) ? node.range?.[0] : undefined;
    const offset = start ?? keyOffset ?? 0;
    const spelling = isScalar(node) && typeof node.value === 'number' ? (node.source ?? null) : null;
    this.spots.set(pathKey(path), { key: keyOffset ?? offset, value: offset, spelling });
    if (!isNode(node) || this.#isTooMuch(offset, path)) return null;
    if (isAlias(node)) return this.#alias(node, path, keyOffset, offset);
    if (node.tag !== undefined) this.#complain(offset, path, `the tag ${shown(node.tag)} means nothing here`, 'Remove it');
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#map(node.items, path);
    if (isSeq(node)) return node.items.map((item, index) => this.read(item, [...path, index]));
    return isScalar(node) ? plainScalar(node) : null;
  }

  #isTooMuch(offset: number, path: Path): boolean {
    this.#values += 1;
    if (this.#isExhausted) return true;
    if (this.#values <= maxValues && path.length <= maxDepth) return false;
    this.#isExhausted = true;
    this.#complain(offset, path.slice(0, 2), 'aliases unfold to too much', 'Write it out plainly');
    return true;
  }

  #alias(node: Alias, path: Path, keyOffset: number | null, offset: number): unknown {
    const target = this.#anchors.get(node.source);
    if (target === undefined) {
      const right = 'Correct the name after the asterisk, or put quotes around the value';
      this.#complain(offset, path, `there is no anchor &${node.source} above this line`, right);
      return null;
    }
    return this.read(target, path, keyOffset);
  }

  #map(items: readonly { readonly key: unknown; readonly value: unknown }[], path: Path): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    const offsets = new Map<string, number>();
    for (const { key, value } of items) {
      const offset = (isNode(key) ? key.range?.[0] : undefined) ?? 0;
      if (!isScalar(key) || typeof key.value === 'object') {
        this.#complain(offset, path, 'a key is no plain word', 'Write it as key: value');
        continue;
      }
      const name = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
      const first = offsets.get(name);
      if (name === '__proto__') this.#complain(offset, path, `${name} can't be a key`, 'Choose another name');
      else if (first !== undefined) {
        const wrong = `${name} stands here twice, first on line ${this.#lineOf(first)}`;
        this.#complain(offset, [...path, name], wrong, 'Keep one of them');
      } else entries.set(name, this.read(value, [...path, name], offset));
      offsets.set(name, first ?? offset);
    }
    return Object.fromEntries(entries);
  }

  #complain(offset: number, path: Path, wrong: string, right: string): void {
    this.complaints.push({ offset, path, wrong, right });
  }
}

function plainScalar(node: Scalar): unknown {
  const { value } = node;
  return typeof value === 'object' && value !== null ? String(node.source) : value;
}
