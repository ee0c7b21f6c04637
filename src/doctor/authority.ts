/** How long the cluster's authority is good: told early, since its root's key lies elsewhere. */
import type { DoctorFinding } from '../api/contract/looks.ts';
import { type AuthorityPartStatus, renewalCommands } from '../core/authority.ts';
import { endingParts, endingText } from '../pki/authority-ending.ts';
import { bad, ok } from './finding.ts';

const check = 'authority';

/** `nowMs`: wall clock. */
export function checkAuthority(parts: readonly AuthorityPartStatus[], nowMs: number): readonly DoctorFinding[] {
  const ending = endingParts(parts, nowMs);
  return parts.map((part) => {
    const text = endingText(part, nowMs);
    if (!ending.includes(part)) return ok(check, text);
    const verdict = Date.parse(part.endsAt) <= nowMs ? 'failure' : 'warning';
    return bad(check, verdict, text, `${renewalCommands[part.part]}, where the root's key is`);
  });
}
