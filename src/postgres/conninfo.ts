/**
 * Connection strings of libpq (documentation 34.1.1 "Connection Strings", keyword/value form) and values in
 * postgresql.conf (20.1.2): both quote, each in its own way.
 */
export function conninfo(parts: Readonly<Record<string, string | number>>): string {
  return Object.entries(parts)
    .map(([key, value]) => `${key}='${String(value).replace(/[\\']/g, '\\$&')}'`)
    .join(' ');
}

/** Reads what `conninfo` or an administrator wrote; `null` when it is not well-formed. */
export function parseConninfo(text: string): ReadonlyMap<string, string> | null {
  const values = new Map<string, string>();
  const part = /\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/gy;
  const trimmed = text.trimEnd();
  while (part.lastIndex < trimmed.length) {
    const match = part.exec(trimmed);
    if (match === null) return null;
    const [, key = '', quoted, plain = ''] = match;
    values.set(key, (quoted ?? plain).replace(/\\(.)/g, '$1'));
  }
  return values;
}

/** A value for postgresql.conf; a line break cannot be written there. */
export function settingLine(name: string, value: string): string {
  if (!/^[a-z_][a-z0-9_.]*$/i.test(name)) throw new RangeError(`not a parameter's name: ${JSON.stringify(name)}`);
  if (/[\n\r\0]/.test(value)) throw new RangeError(`the value of ${name} has a line break`);
  return `${name} = '${value.replace(/\\/g, '\\\\').replace(/'/g, "''")}'`;
}
