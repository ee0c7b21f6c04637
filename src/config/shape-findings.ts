/** zod's issues about the shape of the cluster file, in our words: what is wrong, then what would be right. */
import { z } from 'zod';
import { type Finding, quote } from './issue.ts';
import { isLaterKey } from './later-keys.ts';
import { closest } from './spelling.ts';

type Path = readonly (string | number)[];
type Issue = z.core.$ZodIssue;

const expectations: ReadonlyMap<string, string> = new Map([
  ['string', 'A text'],
  ['number', 'A number'],
  ['int', 'A whole number'],
  ['boolean', 'true or false'],
  ['array', 'A list'],
  ['object', 'A map'],
  ['record', 'A map'],
]);

function pathOf(issue: Issue): Path {
  return issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
}

function valueAt(value: unknown, path: Path): unknown {
  let at: unknown = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = Reflect.get(at, step);
  }
  return at;
}

/** Every schema that may apply at a path, through optional values, unions and records. */
function schemasAt(schema: unknown, path: Path): readonly unknown[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return schemasAt(schema.unwrap(), path);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => schemasAt(option, path));
  const [step, ...rest] = path;
  if (step === undefined) return [schema];
  if (schema instanceof z.ZodObject) return schemasAt(schema.shape[String(step)], rest);
  if (schema instanceof z.ZodRecord) return schemasAt(schema.valueType, rest);
  if (schema instanceof z.ZodArray) return schemasAt(schema.element, rest);
  return [];
}

/** The keys that the schema knows at a path. */
export function keysAt(schema: z.ZodType, path: Path): readonly string[] {
  return schemasAt(schema, path).flatMap((each) => (each instanceof z.ZodObject ? Object.keys(each.shape) : []));
}

export interface ShapeFinding extends Finding {
  /** A key that nothing here is called. */
  readonly unknown?: true;
  /** The key that a misspelt one was meant for. */
  readonly meant?: Path;
}

function unknownKey(schema: z.ZodType, path: Path, key: string): ShapeFinding {
  const found = { path: [...path, key], at: 'key', unknown: true } as const;
  const known = keysAt(schema, path);
  if (isLaterKey(path, key)) {
    return {
      ...found,
      message: 'is not supported by this version of Understudy. Remove it until a version supports it',
    };
  }
  const near = closest(key, known);
  if (near === undefined) return { ...found, message: `this key is not known. Known here: ${known.join(', ')}` };
  return { ...found, message: `this key is not known. Did you mean '${near}'?`, meant: [...path, near] };
}

function expected(issue: Issue): string {
  if (issue.code === 'invalid_type') return expectations.get(issue.expected) ?? 'Another kind of value';
  if (issue.code === 'invalid_value') return `Write ${issue.values.map(quote).join(' or ')}`;
  return issue.message.split('. ').slice(1).join('. ');
}

/** The branch of a union that the value was meant for: the one that at least accepts its kind. A word is no kind. */
function meantBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const refusesKind = ({ code, path }: Issue) =>
    (code === 'invalid_type' || code === 'invalid_value') && path.length === 0;
  return branches.find((issues) => !issues.some(refusesKind));
}

function missing(path: Path): Finding {
  return { path, at: 'key', message: 'is missing. Every declaration needs it here' };
}

/** Unlike every other finding, it is about a key that isn't there. */
function isMissing(finding: Finding): boolean {
  return finding.message.startsWith('is missing.');
}

function findingsOf(schema: z.ZodType, input: unknown, issue: Issue, path: Path): readonly ShapeFinding[] {
  const value = valueAt(input, path);
  const finding = (message: string): Finding => ({ path, at: 'value', message: `${quote(value)} ${message}` });
  switch (issue.code) {
    case 'unrecognized_keys':
      // A file with more of them is no cluster file, and each is compared with every known key.
      return issue.keys.slice(0, 100).map((key) => unknownKey(schema, path, key));
    case 'invalid_key': {
      const [first] = issue.issues;
      return [{ path, at: 'key', message: `${quote(path.at(-1))} ${first?.message ?? 'is no name. Another name'}` }];
    }
    case 'invalid_union': {
      if (value === undefined) return [missing(path)];
      const branch = meantBranch(issue.errors);
      if (branch === undefined) return [finding(issue.message)];
      return branch.flatMap((each) => findingsOf(schema, input, each, [...path, ...pathOf(each)]));
    }
    case 'invalid_type':
      if (value === undefined) return [missing(path)];
      return [finding(/^Invalid/.test(issue.message) ? `can't stand here. ${expected(issue)}` : issue.message)];
    case 'invalid_value':
      return value === undefined ? [missing(path)] : [finding(`is not supported here. ${expected(issue)}`)];
    default:
      return [finding(issue.message)];
  }
}

/** `input` is what was parsed: its values are quoted. */
export function shapeFindings(schema: z.ZodType, input: unknown, error: z.ZodError): readonly ShapeFinding[] {
  const seen = new Map<string, ShapeFinding>();
  for (const issue of error.issues) {
    for (const finding of findingsOf(schema, input, issue, pathOf(issue))) {
      // One value, one message: the first check that fails is the plainest.
      const place = `${finding.at} ${JSON.stringify(finding.path)}`;
      if (!seen.has(place)) seen.set(place, finding);
    }
  }
  const findings = [...seen.values()];
  // A required key that was misspelt isn't missing too.
  return findings.filter(
    (each) =>
      !isMissing(each) || !findings.some((other) => other.meant !== undefined && samePlace(other.meant, each.path)),
  );
}

function samePlace(a: Path, b: Path): boolean {
  return a.length === b.length && a.every((step, index) => step === b[index]);
}
