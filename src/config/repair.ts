/**
 * What a file with mistakes of shape was probably meant to say, so that its other mistakes are named in the same run.
 *
 * A guess is made only where it can't bring up mistakes that aren't there: a misspelt key gets its name, an unknown one
 * goes, and a node without a usable address gets one that no other node has. Everything else stays wrong. What is
 * repaired is never used for anything but finding mistakes.
 */
import type { ShapeFinding } from './shape-findings.ts';

type Path = readonly (string | number)[];

interface Renaming {
  readonly from: Path;
  readonly to: Path;
}

export interface Repaired {
  readonly value: unknown;
  /** The path as it stands in the file. */
  readonly written: (path: Path) => Path;
}

function containerOf(value: unknown, path: Path): object | undefined {
  let at: unknown = value;
  for (const step of path.slice(0, -1)) at = typeof at === 'object' && at !== null ? Reflect.get(at, step) : undefined;
  return typeof at === 'object' && at !== null ? at : undefined;
}

function isAddress({ path, at }: ShapeFinding): boolean {
  const [section, , , field] = path;
  return at === 'value' && section === 'nodes' && (path.length === 3 || (path.length === 4 && field === 'address'));
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((step, index) => step === path[index]);
}

/** `value` stays as it is. */
export function repair(value: unknown, findings: readonly ShapeFinding[]): Repaired {
  const guess: unknown = structuredClone(value);
  const renamed: Renaming[] = [];
  for (const [index, finding] of findings.entries()) {
    const { path, meant, unknown } = finding;
    const container = containerOf(guess, path);
    const [key, better] = [path.at(-1), meant?.at(-1)];
    if (container === undefined || key === undefined) continue;
    if (unknown === true) {
      if (meant !== undefined && better !== undefined && !Object.hasOwn(container, better)) {
        Reflect.set(container, better, Reflect.get(container, key));
        renamed.push({ from: path, to: meant });
      }
      Reflect.deleteProperty(container, key);
    } else if (isAddress(finding) && typeof Reflect.get(container, key) === 'string') {
      // The prefix for documentation (RFC 3849), which no node has.
      Reflect.set(container, key, `2001:db8::${(index + 1).toString(16)}`);
    }
  }
  return {
    value: guess,
    written: (path) => {
      const renaming = renamed.find(({ to }) => startsWith(path, to));
      return renaming === undefined ? path : [...renaming.from, ...path.slice(renaming.to.length)];
    },
  };
}
