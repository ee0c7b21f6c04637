/**
 * Where the rest of the program says what is to be kept in the audit log.
 *
 * Invariant: recording never throws and never waits, and nobody outside can make the log grow faster than his quota: what is
 * over it is counted, and told in one line a minute.
 */
import type { Clock } from '../ports/clock.ts';
import { type AuditKind, isLimited } from './catalogue.ts';
import type { AuditFacts, AuditWho } from './line.ts';
import type { AuditLog } from './log.ts';
import { everybodyElse, Quota } from './quota.ts';

export interface AuditTrail {
  /** Answers the number of the line; `null`: it was counted, or there was no room. */
  record(kind: AuditKind, who: AuditWho | null, facts: AuditFacts): number | null;
}

/** For tests, and where there is nothing to record to. */
export const noTrail: AuditTrail = { record: () => null };

const tellEachMs = 60_000;

export function limitedTrail(
  log: Pick<AuditLog, 'record'>,
  clock: Clock,
  signal: AbortSignal,
  quota: Quota = new Quota(),
): AuditTrail & { close(): void } {
  let telling = false;
  const tell = (): void => {
    for (const { kind, caller, count } of quota.takeCounted(clock.boottimeMs()))
      log.record('counted', caller === everybodyElse ? null : { as: caller }, { kind, count });
  };
  const tellLater = (): void => {
    if (telling) return;
    telling = true;
    void clock
      .sleep(tellEachMs, signal)
      .catch(() => undefined)
      .then(() => {
        telling = false;
        tell();
      });
  };
  return {
    record(kind, who, facts) {
      if (isLimited(kind) && !quota.admits(kind, who?.as ?? everybodyElse, clock.boottimeMs())) {
        tellLater();
        return null;
      }
      return log.record(kind, who, facts);
    },
    close: tell,
  };
}
