/**
 * Single things that a declaration says and somebody may change by hand: what is to be done about each. Pure.
 *
 * Invariant: the statement that changes a thing and the one that records it are one transaction.
 */
import { type Applied, compare, type Drift } from '../core/applied.ts';
import { type AppliedKey, type AppliedRecords, keyOf, record } from './applied-table.ts';

export interface Item extends AppliedKey {
  /** For people: `connection limit of shop`. */
  readonly name: string;
  readonly declared: string | null;
  readonly actual: string | null;
  /** Nobody wrote it: `declared` is the server's default. */
  readonly isDefault?: boolean;
  /** No declaration can say anything of it. */
  readonly isUndeclarable?: boolean;
  /** It was just made: whatever was applied before was another one. */
  readonly isNew?: boolean;
  /** Leads from `actual` to `declared`. */
  readonly change: readonly string[];
  /** What can only be done once that is visible to others: statements by themselves. */
  readonly afterwards?: readonly string[];
  /** An expression for what is there after that, where the server may put it in words of its own. */
  readonly seen?: string;
}

export interface ItemPlan {
  readonly statements: readonly string[];
  readonly drift: readonly Drift[];
}

/** Which drift is to be undone. */
export type Reverts = (name: string) => boolean;

/** `null`: nothing is to be done, and nothing is wrong. */
type Decision = 'record' | 'change' | Drift | null;

export function decideItem(item: Item, records: AppliedRecords, reverts: Reverts): Decision {
  const { name, declared, actual, isDefault = false } = item;
  const applied = item.isNew === true ? null : (records.get(keyOf(item)) ?? null);
  switch (compare({ declared, actual, applied, isDefault })) {
    case 'settled':
      // What nobody declared is not worth a record.
      return isRecorded(item, applied) || (isDefault && applied === null) ? null : 'record';
    case 'apply':
      return 'change';
    case 'drifted':
      return reverts(name)
        ? 'change'
        : { name, kind: item.isUndeclarable === true ? 'given' : 'changed', actual, declared };
  }
}

function isRecorded({ declared, actual }: Item, applied: Applied | null): boolean {
  return applied !== null && applied.declared === declared && applied.actual === actual;
}

/** One statement for each item that is to be changed or recorded. */
export function planItems(items: readonly Item[], records: AppliedRecords, reverts: Reverts): ItemPlan {
  const statements: string[] = [];
  const drift: Drift[] = [];
  for (const item of items) {
    const decision = decideItem(item, records, reverts);
    if (decision === 'change') {
      const change = [...item.change, record(item, item.declared, item.seen)].join('; ');
      statements.push(change, ...(item.afterwards ?? []));
    } else if (decision === 'record') statements.push(record(item, item.declared));
    else if (decision !== null) drift.push(decision);
  }
  return { statements, drift };
}
