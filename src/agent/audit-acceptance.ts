/**
 * A person says that a log may be as it is: its host was lost, or its disk restored. What was known of it before is an alarm
 * no longer.
 *
 * Invariant: it is told to another agent than the log's own, and stands in that one's log: whoever can write a log anew can't
 * accept that himself.
 */
import type { AuditAcceptance } from '../api/contract/audit.ts';
import type { AuditTrail } from '../audit/trail.ts';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { encodeRecord } from '../records/codecs.ts';
import { auditKey } from '../records/keys.ts';
import type { StoreMirror } from './store-mirror.ts';

const writeWithinMs = 2_000;

export interface AcceptanceParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly trail: AuditTrail;
  readonly signal: AbortSignal;
}

/** Throws REFUSED for the own log, CONFLICT when its agent anchored it meanwhile, STORE_UNREACHABLE. */
export async function acceptAudit(parts: AcceptanceParts, accepted: AuditAcceptance): Promise<void> {
  const { mirror, self, signal, trail } = parts;
  const { node, sequence, hash } = accepted;
  if (node === self)
    throw new UnderstudyError('REFUSED', `${self} can't accept its own log`, { hint: 'order it from another agent' });
  const stored = mirror.image.audits.get(node);
  if (stored !== undefined && stored.value.unmet.length > 0) {
    const key = auditKey(node);
    const result = await mirror.transact(
      [{ key, revision: stored.revision }],
      [{ key, value: encodeRecord('audit', { ...stored.value, unmet: [] }) }],
      { withinMs: writeWithinMs, signal },
    );
    if (!result.committed) throw new UnderstudyError('CONFLICT', `the log of ${node} was anchored at the same time`);
  }
  trail.record('log.accepted', null, { of: node, sequence, hash });
}
