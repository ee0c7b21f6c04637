/**
 * Carries out what core/rules/credentials.ts plans: the server first, then the store.
 *
 * Invariant: what stands in the store the server has known before, and every standby that streams has replayed; so a pooler
 * that learns of a password can log in with it anywhere. A record compares the lease, and the one that it replaces.
 */
import type { Action } from '../core/actions.ts';
import type { ClusterView } from '../core/cluster-view.ts';
import { unreachable } from '../core/exhausted-union.ts';
import { clientPasswordAt, inUseBy } from '../core/rules/credential-chore.ts';
import { type CredentialStep, type LoginFacts, lacksLogins, planCredentials } from '../core/rules/credentials.ts';
import { isDelayed, type NodeName } from '../core/spec.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Postgres } from '../ports/postgres.ts';
import type { StoreCondition, StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { credentialKey, keys } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { PendingCredential } from './pending-credentials.ts';
import type { StoreMirror } from './store-mirror.ts';
import { same, sameOrAbsent } from './store-transaction.ts';

const statementWithinMs = 10_000;
const storeWithinMs = 2_000;
/** A standby that lags by more keeps its readers on the old password: a rotation waits for it. */
const replayWithinMs = 5_000;
/** Without a password an application has nothing at all, so that a lagging standby is not waited for as long. */
const firstReplayWithinMs = 1_000;

export type CredentialContext = Pick<
  ExecutionContext,
  'self' | 'clock' | 'credentials' | 'pending' | 'emit' | 'achieved'
> & {
  readonly postgres: Pick<Postgres, 'logins' | 'openLogin' | 'lacking' | 'closeLogin'>;
  readonly mirror: Pick<StoreMirror, 'view' | 'image' | 'transact'>;
};

export function credentialsWork(
  context: CredentialContext,
  action: Pick<Extract<Action, { do: 'apply-credentials' }>, 'spec' | 'key'>,
  view: Pick<ClusterView, 'reports'>,
): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    const { postgres, credentials, clock, mirror } = context;
    const options = { signal, withinMs: statementWithinMs };
    const logins = await postgres.logins(options);
    const steps = planCredentials({
      spec: action.spec,
      records: mirror.view.credentials,
      logins,
      sealable: credentials.sealable(),
      inUse: inUseBy({ reports: view.reports, store: mirror.view }),
      wallMs: clock.wallClock().getTime(),
    });
    if (lacksLogins({ spec: action.spec, logins })) context.achieved({ kind: 'logins-missing' });
    const failures: string[] = [];
    const byRole = new Map(logins.map((login) => [login.role, login]));
    const delayed = action.spec.nodes.filter(isDelayed).map(({ name }) => name);
    const pass: Pass = { logins: byRole, reports: view.reports, isLagging: false, delayed };
    for (const step of steps) {
      signal.throwIfAborted();
      // One application's trouble is not another's.
      await carryOut(context, step, pass, signal).catch((error: unknown) => failures.push(describeError(error)));
    }
    signal.throwIfAborted();
    if (failures.length > 0) throw new UnderstudyError('REFUSED', [...new Set(failures)].join('; '));
    context.achieved({ kind: 'credentials-applied', key: action.key, atMs: clock.boottimeMs() });
  };
}

interface Pass {
  /** As they were at its beginning. */
  readonly logins: ReadonlyMap<string, LoginFacts>;
  readonly reports: ClusterView['reports'];
  /** A standby was waited for in vain: it is looked at for the others, and not waited for again. */
  isLagging: boolean;
  /** Standbys that nobody waits for. */
  readonly delayed: readonly NodeName[];
}

async function carryOut(
  context: CredentialContext,
  step: CredentialStep,
  pass: Pass,
  signal: AbortSignal,
): Promise<void> {
  switch (step.do) {
    case 'issue':
      return await issue(context, step, pass, signal);
    case 'close':
      context.pending.forget(step.role);
      await context.postgres.closeLogin(step.role, { signal, withinMs: statementWithinMs });
      context.emit('credential.closed', { role: step.role });
      return;
    case 'forget': {
      const { node, application } = step.record.value;
      const key = credentialKey(node, application);
      await write(context, [{ key, revision: step.record.revision }], { key, remove: true }, signal);
      return;
    }
    default:
      return unreachable(step);
  }
}

type Issue = Extract<CredentialStep, { do: 'issue' }>;

/** The server has it afterwards; from an earlier attempt, if it was one that waited for a standby. */
async function opened(
  { postgres, credentials, pending, mirror }: CredentialContext,
  { node, application, generation, role }: Issue,
  { logins }: Pass,
  signal: AbortSignal,
): Promise<PendingCredential> {
  const sealing = mirror.view.sealing.get(node)?.revision ?? null;
  const known = pending.of(role, { generation, sealing }, logins.get(role));
  if (known !== null) return known;
  const fresh = credentials.make(node, application);
  const mark = await postgres.openLogin(role, fresh.verifier, { signal, withinMs: statementWithinMs });
  const made = { generation, fresh, sealing, mark };
  pending.keep(role, made);
  return made;
}

async function issue(context: CredentialContext, step: Issue, pass: Pass, signal: AbortSignal): Promise<void> {
  const { node, application, generation, role, replaces, because } = step;
  const { fresh, mark } = await opened(context, step, pass, signal);
  const isRotation = because === 'ordered' || because === 'due';
  const lagging = await context.postgres.lacking(mark, {
    signal,
    withinMs: statementWithinMs,
    replayWithinMs: pass.isLagging ? 0 : isRotation ? replayWithinMs : firstReplayWithinMs,
    // It replays the password hours later, and is no target of a pooler's readers.
    except: pass.delayed,
  });
  if (lagging.length > 0) pass.isLagging = true;
  if (isRotation && lagging.length > 0) {
    const message = `the rotation of ${application} on ${node} waits for ${lagging.join(', ')} to replay the new password`;
    throw new UnderstudyError('REFUSED', message);
  }
  const told = clientPasswordAt({ reports: pass.reports, store: context.mirror.view }, node, application);
  const record = {
    application,
    node,
    generation,
    wanted: Math.max(generation, replaces?.value.wanted ?? 0),
    clientPassword: Math.max(replaces?.value.clientPassword ?? 1, told?.told ?? 1),
    verifierDigest: fresh.verifierDigest,
    sealed: fresh.sealed,
    issuedAtMs: context.clock.wallClock().getTime(),
    issuedBy: context.self,
  };
  const key = credentialKey(node, application);
  await write(context, [sameOrAbsent(key, replaces)], { key, value: encodeRecord('credential', record) }, signal);
  context.pending.forget(role);
  context.emit('credential.issued', { application, node, generation, because });
}

async function write(
  { mirror }: CredentialContext,
  conditions: readonly StoreCondition[],
  change: StoreWrite,
  signal: AbortSignal,
): Promise<void> {
  const { lease } = mirror.image;
  if (lease === null) throw new UnderstudyError('CONFLICT', 'there is no lease');
  const result = await mirror.transact([same(keys.lease, lease), ...conditions], [change], {
    withinMs: storeWithinMs,
    signal,
  });
  if (!result.committed) throw new UnderstudyError('CONFLICT', 'somebody else changed a credential at the same time');
}
