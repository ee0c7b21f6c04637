/**
 * The end of a `switch` over a union: `default: return unreachable(action)`.
 *
 * Invariant: a union that grows does not compile until every such switch knows the new member. Throws where the types
 * were lied to, with the value that nobody knows.
 */
export function unreachable(value: never): never {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
  throw new Error(`nobody knows ${text}`);
}
