/** Does PostgreSQL have the list of revoked certificates that it should judge new connections by? */
import type { DoctorFinding } from '../api/contract/looks.ts';
import { bad, ok } from './finding.ts';

/** `trouble`: why it has none although something is revoked. */
export function checkRevocationList(trouble: string | null): DoctorFinding {
  if (trouble === null) return ok('revocations', 'PostgreSQL has the list of them that it should have');
  const hint =
    "where the root's list is missing, put root.crl, which `understudy ca init` wrote, beside ca.crt on a database node";
  const text = `PostgreSQL lets revoked certificates log in until their sessions are found and ended: ${trouble}`;
  return bad('revocations', 'failure', text, hint);
}
