/**
 * Another root in the place of the one that a cluster trusts, in three phases: everybody trusts both; everything is issued under the
 * next; the former is dropped. What each node does is its agent's (agent/trust-keeping.ts).
 *
 * Invariant: a phase begins when every node has followed the one before. Each looks at what is there first, so that one that was
 * interrupted is simply done again.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustState, TrustStatement } from '../core/trust-record.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Root } from '../pki/authority.ts';
import { openRoot, sealToNodes } from '../pki/authority-renewal.ts';
import { replaceFile } from '../pki/credential-files.ts';
import {
  finishRollover,
  isBeingFinished,
  isRollingOver,
  type NextAuthority,
  nextAuthority,
  nextDirectory,
} from '../pki/rollover-files.ts';
import { areAmong, fingerprintOf, joinRoots, judgeTrust, stateTrust } from '../pki/trust-statement.ts';
import { findStage, type StageRecord } from '../stage/record.ts';
import { issueOnStage, restartStore, trustOnStage } from '../stage/rollover.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { authorityPlace, type PlaceOptions, rootPassphrase } from './authority-place.ts';
import { issuingLifeMs } from './ca-renew.ts';
import type { Call } from './call.ts';
import { ClusterAccess } from './cluster-access.ts';
import type { PassphraseOptions } from './passphrase.ts';
import { behind } from './rollover-standing.ts';

export type RolloverPhase = 'trusting' | 'issued' | 'finished';

interface PhaseOptions extends PassphraseOptions, PlaceOptions {
  readonly wait: number;
}

interface Scene {
  readonly call: Call;
  readonly directory: string;
  readonly former: Root;
  readonly next: NextAuthority;
  /** Both. */
  readonly rootsPem: string;
  readonly stage: StageRecord | null;
  readonly waitMs: number;
}

const rootLifeMs = 20 * 365 * 24 * 60 * 60_000;
const pollMs = 500;
const orderWithinMs = 50_000;
const storeMarker = 'store-restarted';

export async function performRollover(
  call: Call,
  wanted: 'begin' | 'issue' | 'finish',
  options: PhaseOptions,
): Promise<RolloverPhase> {
  const directory = await authorityPlace(call, options);
  if (isBeingFinished(directory)) {
    finishRollover(directory);
    if (wanted === 'finish') return 'finished';
  }
  if (wanted !== 'begin' && !isRollingOver(directory)) {
    throw new UnderstudyError('REFUSED', `no rollover is under way in ${directory}`, {
      hint: 'understudy ca rollover begins one',
    });
  }
  const passphrase = await rootPassphrase(call, directory, options);
  const { cluster } = await call.context();
  const about = { cluster, passphrase, rootLifeMs, issuingLifeMs, nowMs: Date.now() };
  const former = openRoot(directory, passphrase);
  const next = await nextAuthority(directory, about);
  const rootsPem = joinRoots(former.certificatePem, next.root.certificatePem);
  const stage = options.in === undefined ? findStage(call.io.cwd) : null;
  const scene: Scene = { call, directory, former, next, rootsPem, stage, waitMs: options.wait };
  if (wanted === 'finish') return await finish(scene);
  if (wanted === 'issue') return await issueAnew(scene);
  const phase = await trustBoth(scene);
  return stage === null ? phase : await issueAnew(scene);
}

async function trustBoth(scene: Scene): Promise<RolloverPhase> {
  const { former, next, rootsPem, stage } = scene;
  const now = await stateOf(scene);
  const isBoth = now.statement !== null && areAmong(next.root.certificatePem, now.statement.rootsPem);
  if (!isBoth) await say(scene, former, { rootsPem, issueFrom: fingerprintOf(former.certificatePem) });
  await trustHere(scene, rootsPem);
  await untilFollowed(scene, () => []);
  const marker = join(nextDirectory(scene.directory), storeMarker);
  if (stage !== null && !existsSync(marker)) {
    await restartStore(stage, createLinuxClock());
    writeFileSync(marker, '');
  }
  return 'trusting';
}

async function issueAnew(scene: Scene): Promise<RolloverPhase> {
  const { former, next, rootsPem, stage } = scene;
  const { state, statement } = await stateOf(scene);
  if (statement === null || !areAmong(next.root.certificatePem, statement.rootsPem) || behind(state).length > 0) {
    throw new UnderstudyError('REFUSED', `not every node trusts both roots yet: ${behind(state).join(', ')}`, {
      hint: 'understudy ca rollover waits for them',
    });
  }
  const issueFrom = fingerprintOf(next.root.certificatePem);
  await bringIssuing(scene);
  if (statement.issueFrom !== issueFrom) await say(scene, former, { rootsPem, issueFrom });
  if (stage !== null) await issueOnStage(stage, { ...next.issuing, rootsPem }, createLinuxClock());
  let isRotated = false;
  await untilFollowed(
    scene,
    ({ resting }) => resting,
    async (access, { resting }) => {
      const owed = resting.some((one) => one.startsWith('the password of'));
      // The holder seals them, so its own sealing certificate comes first.
      if (isRotated || !owed || resting.some((one) => one.startsWith('the certificate of sealer'))) return;
      const all = { application: null, node: null, what: 'login', force: false } as const;
      await access.order((client, asking) => client.rotateCredentials(all, asking), 10_000);
      isRotated = true;
    },
  );
  return 'issued';
}

async function finish(scene: Scene): Promise<RolloverPhase> {
  const { directory, next, stage } = scene;
  const { statement } = await stateOf(scene);
  const alone = next.root.certificatePem;
  if (statement === null || !areAmong(statement.rootsPem, alone)) {
    await say(scene, next.root, { rootsPem: joinRoots(alone), issueFrom: fingerprintOf(alone) });
  }
  await untilFollowed(scene, () => []);
  await trustHere(scene, joinRoots(alone));
  if (stage !== null) await restartStore(stage, createLinuxClock());
  finishRollover(directory);
  return 'finished';
}

/** The agents judge and refuse it, whatever is thought here. Throws REFUSED, CERTIFICATE_REFUSED, CONFLICT. */
async function say(scene: Scene, by: Root, statement: Omit<TrustStatement, 'number'>): Promise<void> {
  await withAccess(scene, async (access) => {
    const { record } = await access.ask((client, asking) => client.trust(asking));
    const said = stateTrust(by, access.cluster, { ...statement, number: (record?.number ?? 0) + 1 });
    await access.order((client, asking) => client.stateTrust(said, asking), 10_000);
  });
}

async function bringIssuing(scene: Scene): Promise<void> {
  const { next, rootsPem } = scene;
  await withAccess(scene, async (access) => {
    const { sealing } = await access.ask((client, asking) => client.authority(asking));
    const about = { cluster: access.cluster, nowMs: Date.now(), rootsPem };
    const { sealed } = await sealToNodes(next.issuing, sealing, about);
    await access.order((client, asking) => client.renewAuthority({ sealed }, asking), orderWithinMs);
  });
}

/** The context's own file, where it is the cluster's; a copy for others; and what of a stage no agent looks after. */
async function trustHere({ call, directory, rootsPem, stage }: Scene, wanted: string): Promise<void> {
  const { tls } = await call.context();
  if (areAmong(readFileSync(tls.ca, 'utf8'), rootsPem)) await replaceFile(tls.ca, wanted, 0o644, null);
  await replaceFile(join(directory, 'ca.crt'), wanted, 0o644, null);
  if (stage !== null) await trustOnStage(stage, wanted);
}

/** Throws TIMEOUT with what has not followed. `work`: done at each look. */
async function untilFollowed(
  scene: Scene,
  further: (state: TrustState) => readonly string[],
  work: (access: ClusterAccess, state: TrustState) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { call, waitMs } = scene;
  const until = performance.now() + waitMs;
  let left: readonly string[] = ['no node has answered'];
  let told = '';
  while (left.length > 0) {
    try {
      await withAccess(scene, async (access) => {
        const state = await access.ask((client, asking) => client.trust(asking));
        left = [...behind(state), ...further(state)];
        await work(access, state);
      });
    } catch (error) {
      // Nodes take up what is new one after another, and the store may just move its leader.
      if (!isUnderstudyError(error) || error.retry === 'never') throw error;
    }
    const text = `waiting for ${left.length}: ${left.slice(0, 3).join('; ')}${left.length > 3 ? '; …' : ''}`;
    if (left.length > 0 && text !== told && !call.terminal.json) call.terminal.note(text);
    told = text;
    if (left.length === 0) return;
    if (performance.now() > until || call.signal.aborted) {
      throw new UnderstudyError('TIMEOUT', `not all have followed yet: ${left.join('; ')}`, {
        hint: 'mend what keeps them (understudy doctor, understudy events), and do the same again',
      });
    }
    await call.sleep(pollMs);
  }
}

async function stateOf(
  scene: Scene,
): Promise<{ readonly state: TrustState; readonly statement: TrustStatement | null }> {
  return await withAccess(scene, async (access) => {
    const state = await access.ask((client, asking) => client.trust(asking));
    if (state.record === null) return { state, statement: null };
    const judged = judgeTrust(state.record, { cluster: access.cluster, rootsPem: scene.rootsPem });
    if (judged.ok) return { state, statement: judged.statement };
    throw new UnderstudyError(
      'CERTIFICATE_REFUSED',
      `what the cluster trusts is not of this authority: ${judged.because}`,
    );
  });
}

/** Opened anew each time: the files that it reads change meanwhile. */
async function withAccess<T>({ call }: Scene, use: (access: ClusterAccess) => Promise<T>): Promise<T> {
  const access = await ClusterAccess.open(await call.context(), call.signal);
  try {
    return await use(access);
  } finally {
    access.close();
  }
}
