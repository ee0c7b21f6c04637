/** What the composition of either kind of agent starts from, and what comes of it. */
import { dirname, join } from 'node:path';
import type { EmitEvent } from '../agent/app-node-ports.ts';
import type { AuditKeeping } from '../agent/audit-keeping.ts';
import type { ActionLog } from '../agent/execution-context.ts';
import type { AgentBackend } from '../api/contract/backend.ts';
import type { NodeFile } from '../config/node-file.ts';
import type { TlsRules } from '../core/tls-policy.ts';
import type { examiner } from '../doctor/aside.ts';
import type { OwnCredentials } from '../pki/own-credentials.ts';
import type { RevokedCertificates } from '../pki/revoked-certificates.ts';
import type { Clock } from '../ports/clock.ts';

export interface Running {
  readonly backend: AgentBackend;
  /** As far as this node knows the declaration. */
  tls(): TlsRules | null;
  readonly emit: EmitEvent;
  stop(): Promise<void>;
}

export interface Foundation {
  readonly file: NodeFile;
  readonly audit: AuditKeeping;
  /** Looks for trouble on this node, beside this process. */
  readonly examine: ReturnType<typeof examiner>;
  readonly clock: Clock;
  readonly log: ActionLog & { debug(facts: object, text: string): void };
  readonly credentials: OwnCredentials;
  readonly revoked: RevokedCertificates;
  /** The loop itself broke: a defect, so the process ends and is started anew. */
  readonly onBroken: (error: unknown) => void;
}

/** Another program of the same build. */
export function beside(name: string): string {
  return join(dirname(process.argv[1] ?? ''), name);
}
