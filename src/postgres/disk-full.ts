/** Tells a full disk from other failures: from our own writes by code, from PostgreSQL's programs by what they say in the C locale. */
export function isDiskFull(error: unknown): boolean {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth += 1) {
    if ('code' in current && (current.code === 'ENOSPC' || current.code === 'EDQUOT')) return true;
    if (/No space left on device|Disk quota exceeded/.test(current.message)) return true;
  }
  return false;
}
