/** An agent's audit log, as auditors read it and operators accept it. */
import type { AuditPiece } from '../../audit/files.ts';
import type { AuditState } from '../../audit/log.ts';
import type { AuditHead, NodeAnchor } from '../../core/audit-anchor.ts';
import type { NodeName } from '../../core/spec.ts';

/** An agent's own audit log, as it stands in its files, and what the store knows of all of them. */
export interface AuditAnswers {
  log(): AuditState;
  /** `text`: lines as they stand there, from that byte on. */
  read(file: string, offset: number): Promise<AuditPiece>;
  /** Empty on nodes without a store. */
  anchors(): readonly NodeAnchor[];
  /** Another node's log may be as it is, up to that line. Only an agent with a store takes it. */
  accept(accepted: AuditAcceptance): Promise<void>;
}

/** `sequence` and `hash`: of the last line when a person looked. */
export interface AuditAcceptance extends AuditHead {
  readonly node: NodeName;
}
