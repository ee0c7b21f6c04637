/**
 * The topology as this agent can vouch for it, and what each app node is told beside it.
 *
 * Invariant: a primary is called writable only on the word of the lease's holder itself: by its own PostgreSQL under
 * an unexpired lease, or by the status that it wrote in this term.
 */
import type { Topology, TopologyPrimary, TopologyStandby } from '@understudy/client/topology';
import type { AppNodeConfiguration } from '../api/contract/app-nodes.ts';
import type { ClusterView, SpecRecord } from '../core/cluster-view.ts';
import { credentialsOf } from '../core/credential.ts';
import { bytesBehind, parseLsn } from '../core/lsn.ts';
import type { DatabaseMemory } from '../core/memory.ts';
import { isActive, pauseLimitMs } from '../core/operation.ts';
import { ownCertificatesOf } from '../core/own-certificates.ts';
import { assess, isWritable, liveMember, type Situation } from '../core/situation.ts';
import { findNode, hostName, isDelayed, type NodeName, type NodeSpec, nodesOfRole, type Spec } from '../core/spec.ts';
import type { StoreImage } from '../records/store-image.ts';

export function buildTopology(view: ClusterView, memory: DatabaseMemory): Topology {
  const situation = assess(view, memory);
  const { spec } = situation;
  const operation = view.store.operation?.value ?? null;
  const active = operation !== null && isActive(operation);
  const lease = view.store.lease?.value ?? null;
  return {
    version: 1,
    cluster: spec?.cluster ?? '',
    from: view.self,
    term: lease?.term ?? 0,
    primary: spec === null ? null : primaryOf(situation, spec),
    standbys: spec === null ? [] : standbysOf(situation, spec),
    pause: active
      ? { operation: operation.id, term: operation.term, without: operation.without, limitMs: pauseLimitMs(operation) }
      : null,
    readOnly: view.store.readOnly !== null,
    ended: operation !== null && !active ? operation.id : null,
    ageMs: view.store.confirmedAtMs === null ? null : Math.max(0, Math.round(view.nowMs - view.store.confirmedAtMs)),
  };
}

function primaryOf(situation: Situation, spec: Spec): TopologyPrimary | null {
  const { lease, view, nowMs } = situation;
  if (lease.is !== 'mine' && lease.is !== 'other') return null;
  const { term, holder } = lease.lease.value;
  const node = findNode(spec, holder);
  if (node === undefined) return null;
  const writable =
    lease.is === 'mine'
      ? view.postgres.state === 'primary' &&
        view.job?.kind !== 'stop' &&
        lease.deadlineMs !== null &&
        nowMs < lease.deadlineMs
      : isWritable(situation, holder, term);
  return { ...address(spec, node), timeline: timelineOf(situation, holder, 'primary'), writable };
}

/** While its PostgreSQL is what it is called here: another's timeline would tell whoever compares them a lie. */
function timelineOf(situation: Situation, node: NodeName, role: 'primary' | 'standby'): number | null {
  const { view } = situation;
  const postgres = node === view.self ? view.postgres : (liveMember(situation, node)?.postgres ?? null);
  return postgres !== null && postgres.state === role ? postgres.timeline : null;
}

function standbysOf(situation: Situation, spec: Spec): readonly TopologyStandby[] {
  const holder =
    situation.lease.is === 'mine' || situation.lease.is === 'other' ? situation.lease.lease.value.holder : null;
  const ahead = primaryLsn(situation, holder);
  return (
    nodesOfRole(spec, 'database')
      // A delayed one serves nobody who reads through the topology.
      .filter((node) => node.name !== holder && !isDelayed(node))
      .flatMap((node): TopologyStandby[] => {
        const member = liveMember(situation, node.name);
        if (member?.postgres.state !== 'standby') return [];
        const replayed = parseLsn(member.postgres.replayedLsn);
        const lagBytes = ahead === undefined || replayed === undefined ? null : bytesBehind(ahead, replayed);
        const timeline = timelineOf(situation, node.name, 'standby');
        return [{ ...address(spec, node), timeline, streaming: member.postgres.streamingFrom !== null, lagBytes }];
      })
  );
}

/** From the same kind of record as the standbys' positions, so that both are about equally old. */
function primaryLsn(situation: Situation, holder: NodeName | null) {
  const member = holder === null ? null : liveMember(situation, holder);
  return member?.postgres.state === 'primary' ? parseLsn(member.postgres.lsn) : undefined;
}

function address(spec: Spec, node: NodeSpec) {
  const { name, address, datacenter } = node;
  return { node: name, hostName: hostName(spec, name), address, port: spec.postgres.port, datacenter };
}

/** `null`: that node is no app node of the spec. */
export function appNodeConfiguration(
  { spec, revision: specRevision }: SpecRecord,
  records: Pick<StoreImage, 'credentials' | 'revocations'>,
  node: NodeName,
): AppNodeConfiguration | null {
  if (findNode(spec, node)?.role !== 'app') return null;
  return {
    specRevision,
    certificateLifeMs: spec.tls.certificateLifeMs,
    poolers: spec.poolers,
    tls: { policy: spec.tls.policy, exceptions: spec.tls.exceptions },
    applications: spec.applications.filter((application) => application.nodes.includes(node)),
    certificates: ownCertificatesOf(spec, node),
    revoked: [...records.revocations.values()].map(({ value: { serial, kind, at, expiresAt } }) => ({
      ...{ serial, kind, at, expiresAt },
    })),
    credentials: credentialsOf(node, records.credentials),
    databaseAgents: nodesOfRole(spec, 'database').map((other) => ({
      node: other.name,
      address: other.address,
      hostName: hostName(spec, other.name),
    })),
  };
}

/** What must differ before a topology is worth sending at once; ages and lags go with the next heartbeat. */
export function topologyKey(topology: Topology): string {
  const standbys = topology.standbys.map((standby) => [standby.node, standby.address, standby.port, standby.streaming]);
  return JSON.stringify([topology.term, topology.primary, standbys, topology.pause, topology.ended, topology.readOnly]);
}
