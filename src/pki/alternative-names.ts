/**
 * Reads the alternative names of a certificate from the text that Node gives of them.
 *
 * Node writes a value as a JSON string when it has a comma, a quote, a backslash or anything unprintable in it, so the
 * text has one reading if it is read from the left, and none if it is split at commas (CVE-2021-44532). What does not fit
 * that grammar whole is refused whole. The X.509 library that issues would read the DER itself, but costs each agent
 * 13 MB at rest (docs/adr/0005).
 */
export interface AlternativeName {
  /** As OpenSSL names it: `DNS`, `URI`, `IP Address`, `DirName`, … */
  readonly kind: string;
  readonly value: string;
}

const kindPattern = /([A-Za-z][A-Za-z0-9 .]*):/y;
const quotedPattern = /"(?:[^"\\]|\\.)*"/y;
const plainPattern = /[^",\\]*/y;

/** `null`: the text does not have the one form that it should have. */
export function readAlternativeNames(text: string | undefined): readonly AlternativeName[] | null {
  if (text === undefined || text === '') return [];
  const names: AlternativeName[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  for (;;) {
    const kind = take(kindPattern)?.[1];
    if (kind === undefined) return null;
    const value = text[at] === '"' ? unquote(take(quotedPattern)?.[0]) : take(plainPattern)?.[0];
    if (value === undefined) return null;
    names.push({ kind, value });
    if (at === text.length) return names;
    if (!text.startsWith(', ', at)) return null;
    at += 2;
  }
}

function unquote(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
