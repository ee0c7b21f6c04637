/**
 * What one cycle of a client, from its first message to ReadyForQuery, becomes on the way to the server. Pure.
 *
 * Invariant: whatever is added is not seen by the client. A cycle that begins outside of a transaction ends outside of it,
 * unless the client began one.
 */
import { disguised, type Face } from '../disguise.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Statement } from '../sql/statements.ts';
import { query } from '../wire/messages.ts';

export type Step =
  /** Its answer is swallowed, but for an error. `isLast`: to be done also when something before it failed. */
  | { readonly is: 'added'; readonly text: string; readonly isLast: boolean; readonly over: () => void }
  /** One message of the client's, with everything that belongs to it. */
  | { readonly is: 'simple'; readonly bytes: Buffer }
  /** The client's messages up to Sync. */
  | { readonly is: 'extended' };

export type Shown = Pick<Snapshot, 'imported' | 'reserve'>;

/** How a server is at the moment. */
export interface Behaviour {
  readonly face: Face;
  /** What its readers are shown; `null`: the present. */
  readonly snapshot: Shown | null;
  /** Every session is read-only, also those that began before. */
  readonly refusesWrites: boolean;
}

type Added = Extract<Step, { is: 'added' }>;

function added(text: string, over: () => void = () => undefined): Added {
  return { is: 'added', text, isLast: false, over };
}

/** For a Query message outside of a transaction. */
export function simpleSteps(sql: string, statements: readonly Statement[], { face, snapshot }: Behaviour): Step[] {
  const shown = (text: string): Step => ({ is: 'simple', bytes: query(disguised(text, face)) });
  const [first] = statements;
  if (snapshot === null || first === undefined) return [shown(sql)];
  if (first.kind === 'begin') {
    const rest = sql.slice(first.end);
    const under = [shown(first.text), added(snapshot.imported, snapshot.reserve())];
    return statements.length === 1 ? under : [...under, shown(rest)];
  }
  return wrapped(shown(sql), first, snapshot);
}

/** For messages of the extended protocol outside of a transaction; `statement`: the one that is run first. */
export function extendedSteps(statement: Statement | undefined, { snapshot }: Behaviour): Step[] {
  const shown: Step = { is: 'extended' };
  if (snapshot === null || statement === undefined) return [shown];
  if (statement.kind === 'begin') return [shown, added(snapshot.imported, snapshot.reserve())];
  return wrapped(shown, statement, snapshot);
}

/** Before anything else of a cycle outside of a transaction; `wasReadOnly`: it was so before. */
export function accessSteps({ refusesWrites }: Behaviour, wasReadOnly: boolean): Step[] {
  if (refusesWrites) return [added('SET default_transaction_read_only TO on')];
  return wasReadOnly ? [added('RESET default_transaction_read_only')] : [];
}

function wrapped(shown: Step, { kind }: Statement, snapshot: Shown): Step[] {
  if (kind !== 'other') return [shown];
  const end: Added = { ...added('COMMIT'), isLast: true };
  return [added(`BEGIN; ${snapshot.imported}`, snapshot.reserve()), shown, end];
}
