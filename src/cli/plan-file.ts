/** Compares a cluster file with the spec in force. The file is read first: a mistake in it needs no cluster. */
import type { DatabaseState } from '../core/applied.ts';
import { type Plan, planChanges, renderPlan } from '../core/plan.ts';
import type { Spec } from '../core/spec.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { readClusterFile } from './cluster-file.ts';
import { databaseState, driftLines } from './database-drift.ts';
import type { Paint, Tone } from './terminal.ts';
import { countText } from './words.ts';

export interface SpecInForce {
  /** 0: none was ever applied. */
  readonly revision: number;
  readonly spec: Spec | null;
}

export interface PlannedFile {
  readonly spec: Spec;
  /** Of the repository of backups; a path on this machine. */
  readonly credentialsFile: string | null;
  readonly base: SpecInForce;
  readonly plan: Plan;
  readonly primary: string | null;
  /** What nobody but the primary's agent knows. */
  readonly databases: DatabaseState;
}

/** Throws CONFIG_UNREADABLE, CONFIG_INVALID. */
export async function planFile(call: Call, file: string): Promise<PlannedFile> {
  const { spec, credentialsFile } = readClusterFile(call, file);
  const access = await call.cluster();
  const [base, { primary }] = [await specInForce(access), await access.status()];
  const { state, unknownBecause } = await databaseState(access, primary);
  if (unknownBecause !== null && base.spec !== null)
    call.terminal.note(`what was changed by hand in the databases is not known: ${unknownBecause}`);
  const plan = planChanges(base.spec, spec, { primary, databases: state.found });
  return { spec, credentialsFile, base, plan, primary, databases: state };
}

export async function specInForce(access: ClusterAccess): Promise<SpecInForce> {
  try {
    const { revision, spec } = await access.ask((client, asking) => client.spec(asking));
    return { revision, spec };
  } catch (error) {
    if (isUnderstudyError(error, 'NOT_FOUND')) return { revision: 0, spec: null };
    throw error;
  }
}

/** `null`: it may be applied. */
export function refusalOf({ refusals }: Plan): UnderstudyError | null {
  if (refusals.length === 0) return null;
  return new UnderstudyError(
    'REFUSED',
    `${countText(refusals.length, 'change')} refused: ${refusals.map(({ what }) => what).join('; ')}`,
    {
      hint: 'see the reasons given above; nothing was changed',
    },
  );
}

const tones: Readonly<Record<string, Tone>> = { '+': 'green', '-': 'red', '~': 'yellow', '!': 'red' };

export function planLines({ plan, primary, databases }: PlannedFile, paint: Paint): readonly string[] {
  return [...renderPlan(plan), ...driftLines(primary, databases, plan)].map((line) => {
    if (line.startsWith('Refused:')) return paint('red', line);
    return line.replace(
      /^(\S.*? +)([-+~!]) /,
      (_, place: string, mark: string) => `${place}${paint(tones[mark] ?? 'bold', mark)} `,
    );
  });
}
