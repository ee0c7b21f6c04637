/** An agent's audit log with what belongs to it: who may fill it how fast, what of the agent's own doing goes into it. */
import { join } from 'node:path';
import type { AuditAnswers } from '../api/contract/audit.ts';
import type { DoctorFinding } from '../api/contract/looks.ts';
import { isAuditedEvent } from '../audit/catalogue.ts';
import { AuditDirectory } from '../audit/directory.ts';
import { AuditLog, type AuditNews, type AuditState } from '../audit/log.ts';
import { type AuditTrail, limitedTrail } from '../audit/trail.ts';
import type { NodeName } from '../core/spec.ts';
import type { EventFacts, EventName } from '../events/catalogue.ts';
import type { Clock } from '../ports/clock.ts';
import type { EmitEvent } from './app-node-ports.ts';

export interface AuditKeeping {
  readonly log: AuditLog;
  readonly trail: AuditTrail;
  /** Keeps the event when its kind is one that is kept. */
  heard(name: EventName, facts: EventFacts): void;
  readonly answers: Pick<AuditAnswers, 'log' | 'read'>;
  doctor(): DoctorFinding;
  close(): Promise<void>;
}

export function keepAudit(parts: {
  readonly node: NodeName;
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly emit: EmitEvent;
}): AuditKeeping {
  const { node, stateDirectory, clock, emit } = parts;
  const ended = new AbortController();
  const { signal } = ended;
  const directory = new AuditDirectory(join(stateDirectory, 'audit'));
  const log = new AuditLog({ node, directory, clock, signal, news: newsOf(node, emit) });
  const trail = limitedTrail(log, clock, signal);
  return {
    log,
    trail,
    answers: { log: () => log.state(), read: (file, offset) => log.read(file, offset) },
    heard(name, facts) {
      if (isAuditedEvent(name)) trail.record(name, null, facts);
    },
    doctor: () => findingOf(log.state()),
    async close() {
      trail.close();
      ended.abort();
      await log.close();
    },
  };
}

function newsOf(node: NodeName, emit: EmitEvent): AuditNews {
  return {
    unwritable: (because) => emit('audit.unwritable', { node, because }),
    writable: (missed) => emit('audit.writable', { node, missed }),
    healed: (bytes) => emit('audit.healed', { node, bytes }),
  };
}

function findingOf({ head, missed, trouble, waiting }: AuditState): DoctorFinding {
  const check = 'audit log';
  if (trouble === null) return { check, verdict: 'ok', text: `${head.sequence} lines`, hint: null };
  return {
    check,
    verdict: 'failure',
    text: `it can't be written: ${trouble}; ${waiting} lines wait, ${missed} are lost`,
    hint: 'free disk space under the state directory, and see that the agent may write to it',
  };
}
