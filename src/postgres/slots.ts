/**
 * Keeps the physical replication slots as they are wanted: on the primary for its standbys, and on every standby for
 * all others, moved forward beforehand, so that a new primary has the WAL its standbys need from its first instant.
 *
 * All three calls are allowed in recovery for physical slots in versions 13 to 18 (documentation 9.27.6).
 * Touches only slots with our prefix; an active slot is neither moved nor dropped. A slot that has lost its WAL can
 * never be used again: it is made anew, and its standby finds out by itself whether its WAL is still there.
 */
import { z } from 'zod';
import type { SlotTarget } from '../core/local-postgres.ts';
import { formatLsn, type Lsn, parseLsn } from '../core/lsn.ts';
import { slotPrefix } from './layout.ts';
import type { Session } from './session.ts';
import type { Deadline } from './waiting.ts';

const slotRow = z.object({
  name: z.string(),
  active: z.boolean(),
  restart: z.string().nullable(),
  status: z.string().nullable(),
});
const done = z.object({});

export interface ExistingSlot {
  readonly name: string;
  readonly active: boolean;
  readonly restartLsn: Lsn | null;
  readonly lost: boolean;
}

export type SlotStep =
  | { readonly do: 'create' | 'drop'; readonly name: string }
  | { readonly do: 'advance'; readonly name: string; readonly to: Lsn };

/** What must be done, in order. */
export function planSlots(existing: readonly ExistingSlot[], targets: readonly SlotTarget[]): readonly SlotStep[] {
  const steps: SlotStep[] = [];
  for (const slot of existing) {
    if (slot.active || !slot.name.startsWith(slotPrefix)) continue;
    if (slot.lost || !targets.some(({ name }) => name === slot.name)) steps.push({ do: 'drop', name: slot.name });
  }
  for (const { name, advanceTo } of targets) {
    const slot = existing.find((each) => each.name === name);
    if (slot === undefined || (slot.lost && !slot.active)) {
      steps.push({ do: 'create', name });
    } else if (!slot.active && advanceTo !== null && slot.restartLsn !== null && slot.restartLsn < advanceTo) {
      steps.push({ do: 'advance', name, to: advanceTo });
    }
  }
  return steps;
}

function statement(step: SlotStep): { readonly text: string; readonly values: readonly string[] } {
  switch (step.do) {
    case 'create':
      // Reserving WAL at once: otherwise it would keep nothing before the standby first connects.
      return { text: 'select from pg_create_physical_replication_slot($1, true)', values: [step.name] };
    case 'drop':
      return { text: 'select from pg_drop_replication_slot($1)', values: [step.name] };
    case 'advance':
      // A slot that is gone or in use by now is left to the next pass.
      return {
        text: `select from pg_replication_slots s, pg_replication_slot_advance(s.slot_name, least($2::pg_lsn,
          case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end))
          where s.slot_name = $1 and not s.active and s.restart_lsn < $2::pg_lsn`,
        values: [step.name, formatLsn(step.to)],
      };
  }
}

/** One statement when nothing changes. */
export async function applySlots(session: Session, targets: readonly SlotTarget[], deadline: Deadline): Promise<void> {
  const rows = await session.query(
    {
      prepareAs: 'understudy_slots',
      row: slotRow,
      text: `select slot_name as name, active, restart_lsn::text as restart, wal_status as status
        from pg_replication_slots where slot_type = 'physical' and not temporary`,
    },
    Math.max(1, deadline.leftMs()),
  );
  const existing = rows.map(
    ({ name, active, restart, status }): ExistingSlot => ({
      name,
      active,
      restartLsn: restart === null ? null : (parseLsn(restart) ?? null),
      lost: status === 'lost',
    }),
  );
  for (const step of planSlots(existing, targets)) {
    deadline.check('keeping the replication slots');
    await session.query({ ...statement(step), row: done }, Math.max(1, deadline.leftMs()));
  }
}
