/** What an agent sees of a simulated server that answers, or that is not there: positions, timeline, slots, standbys. */
import type { LocalPostgres, ReplicationPeer, SlotState } from '../../core/local-postgres.ts';
import { idleArchiver } from '../../core/local-postgres.ts';
import { lsnOf } from './disk.ts';
import type { FakeServer } from './server.ts';
import type { ServerProcess } from './server-process.ts';

export function viewOf(server: FakeServer, major: number): LocalPostgres {
  const { process, disk } = server;
  if (process === null) return disk.atRest();
  if (!process.hasPostmaster) return { state: 'orphaned', pid: process.pid };
  if (process.phase !== 'ready') return { state: process.phase, pid: process.pid };
  const facts = {
    pid: process.pid,
    systemIdentifier: disk.systemIdentifier,
    timeline: disk.timeline,
    serverVersion: 'simulated',
    major,
    slots: slotStates(server),
    peers: peersOf(server, process),
    pendingRestart: [],
    standbyMinimums: {},
    retiredSessions: 0,
  };
  if (process.role === 'primary') {
    const insertLsn = lsnOf(disk.end);
    return {
      state: 'primary',
      ...facts,
      insertLsn,
      fork: disk.fork,
      archiver: idleArchiver,
      syncSet: process.sync.sessions,
    };
  }
  const hasMore = process.hasReceived && disk.end > process.replayed;
  const isExhausted = process.replayed >= disk.end;
  return {
    state: 'standby',
    ...facts,
    receivedLsn: process.hasReceived ? lsnOf(disk.end) : null,
    replayedLsn: lsnOf(process.replayed),
    walEnd: hasMore || isExhausted ? lsnOf(disk.end) : null,
    replayPaused: process.replayPaused,
    lagS: process.receiver === null ? null : 0,
    upstream: disk.upstream,
    receiver: process.receiver !== null ? 'streaming' : disk.upstream === null ? 'none' : 'connecting',
    cannotStream: process.cannotStream,
    readsArchive: false,
  };
}

function peersOf(server: FakeServer, process: ServerProcess): readonly ReplicationPeer[] {
  return [...process.streams].map(([name, stream]) => ({
    name,
    pid: 1,
    state: 'streaming',
    sentLsn: lsnOf(server.disk.flushed),
    flushLsn: lsnOf(stream.flushed),
    replayLsn: lsnOf(stream.flushed),
    replyAgeMs: server.time.nowMs - stream.repliedAtMs,
  }));
}

function slotStates({ disk, process }: FakeServer): readonly SlotState[] {
  const active = new Set([...(process?.streams.values() ?? [])].map(({ standby }) => standby.slot));
  return [...disk.slots].map(([name, position]) => ({
    name,
    active: active.has(name),
    restartLsn: position === null ? null : lsnOf(position),
    walStatus: position === null ? 'lost' : 'reserved',
  }));
}
