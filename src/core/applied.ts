/**
 * The three-way comparison: what is declared, what was last applied, and what is there. Pure.
 *
 * Invariant: what somebody changed by hand is overwritten only when the declaration changed since, or when he asks for it.
 * What was never applied and isn't declared was made by somebody else, too.
 */

/** As texts, to be compared with nothing but themselves; `null`: there is none. */
export interface Applied {
  readonly declared: string | null;
  /** What was there right after it was applied. */
  readonly actual: string | null;
}

export interface Compared {
  readonly declared: string | null;
  readonly actual: string | null;
  /** `null`: never. */
  readonly applied: Applied | null;
  /** Nobody wrote it: `declared` is the server's default. */
  readonly isDefault?: boolean;
}

/** `settled`: what is there is what was asked for; `drifted`: somebody changed it by hand. */
export type Verdict = 'settled' | 'apply' | 'drifted';

export function compare({ declared, actual, applied, isDefault = false }: Compared): Verdict {
  // A server may write what it was told in words of its own.
  if (declared === actual || (applied?.declared === declared && applied.actual === actual)) return 'settled';
  if (applied === null) return isDefault ? 'drifted' : 'apply';
  return applied.declared === declared ? 'drifted' : 'apply';
}

/**
 * `changed`: by hand, can be reverted. `given`: so, too, and no declaration can ask for it. `kept`: no longer declared, and only
 * a person takes it away. `fixed`: nothing can change it.
 */
export type DriftKind = 'changed' | 'given' | 'kept' | 'fixed';

/** Can `apply --revert` undo it? */
export function isRevertible({ kind }: Drift): boolean {
  return kind === 'changed' || kind === 'given';
}

export interface Drift {
  /** `connection limit of shop`. */
  readonly name: string;
  readonly kind: DriftKind;
  readonly actual: string | null;
  readonly declared: string | null;
}

/** A database that is there, declared or not, with what it keeps for good. */
export interface FoundDatabase {
  readonly name: string;
  readonly encoding: string;
  readonly locale: string;
}

/** Roles of a database that is not declared and not there: it could not be made, or somebody dropped it by hand. */
export interface Leftover {
  readonly database: string;
  readonly roles: readonly string[];
}

/** What the primary's agent finds in its databases. */
export interface DatabaseState {
  readonly drift: readonly Drift[];
  /** Databases that are no longer declared, and whose data is still there. */
  readonly retired: readonly string[];
  readonly leftovers: readonly Leftover[];
  readonly found: readonly FoundDatabase[];
  /** What can't be carried out, or not be looked into, for people. */
  readonly troubles: readonly string[];
}

export function driftText({ name, kind, actual, declared }: Drift): string {
  const was = actual ?? 'none';
  switch (kind) {
    case 'changed':
      return `${name} changed by hand: ${was}, declared ${declared ?? 'none'}; keep it: declare it; revert: apply --revert`;
    case 'given':
      return `${name} given by hand: ${was}, and no declaration asks for it; revert: apply --revert`;
    case 'kept':
      return `${name} is no longer declared, and stays until somebody drops it by hand`;
    case 'fixed':
      return `${name} is ${was}, declared ${declared ?? 'none'}: it can't be changed any more; declare ${was}`;
  }
}

function likeness(characters: string): string {
  return characters.toLowerCase().replace(/-/g, '');
}

/** Are two names of an encoding, or of a locale, the same one's? */
export function isSameCharacters(one: string, other: string): boolean {
  return likeness(one) === likeness(other);
}

export function leftoverText({ database, roles }: Leftover): string {
  return `database ${database} is not there: its roles stay until apply --drop ${database}: ${roles.join(', ')}`;
}

export function retiredText(database: string): string {
  return `database ${database} is retired: nobody may connect, and its data stays until apply --drop ${database}`;
}
