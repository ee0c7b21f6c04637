/**
 * Acts that give the server its role or take it away: start, follow, cut off, promote, stop.
 *
 * Invariant: whatever makes the server writable passes through the fence.
 */
import type { Postgres, StartAs } from '../ports/postgres.ts';
import { archiveReceived } from './archiver.ts';
import { readControl } from './control-file.ts';
import { cutByReload } from './cut.ts';
import { makeDirectories } from './directory-acts.ts';
import type { Observer } from './observation.ts';
import { promote } from './promote.ts';
import { reserveTimelines } from './reserved-timelines.ts';
import { type RoleStart, startInRole } from './role-start.ts';
import { stop } from './stop.ts';
import { writeUpstream } from './upstream.ts';
import { pointAt } from './upstream-change.ts';
import { type Deadline, deadlineOf } from './waiting.ts';

const archiveLookMs = 2_000;
/** How long a standby that must be cut off may take to stop, before it is stopped by force. */
const cutStopMs = 500;

export interface RoleParts extends RoleStart {
  readonly fence: RoleStart['fence'] & Parameters<typeof promote>[1];
  readonly observer: Observer;
}

type RoleActs = Pick<Postgres, 'start' | 'follow' | 'cutOff' | 'promote' | 'archiveReceived' | 'stop'>;

export function createRoleActs(parts: RoleParts): RoleActs {
  const { layout, session, clock, reach, port, fence, observer } = parts;

  const startAs = async (as: StartAs, deadline: Deadline): Promise<void> => {
    await makeDirectories(layout);
    await startInRole(parts, as, deadline);
  };

  return {
    start: (as, act) => startAs(as, deadlineOf(clock, act)),

    follow: (upstream, slot, { restoreCommand = null, ...act }) =>
      pointAt(parts, { upstream, slot, restoreCommand }, deadlineOf(clock, act)),

    async cutOff(act) {
      const deadline = deadlineOf(clock, act);
      await writeUpstream(layout.data, null, reach);
      if (await cutByReload({ layout, port, clock }, act.signal)) return;
      await stop({ layout, session, clock }, { patienceMs: cutStopMs, awaitStandby: null }, deadline);
      parts.ended();
      await startAs({ role: 'standby', upstream: null, slot: '' }, deadline);
    },

    async promote(timeline, act) {
      if (timeline !== null) {
        const seen = await observer.observe(act.withinMs, 'brief');
        if (seen.state === 'standby') await reserveTimelines(layout.data, seen.timeline, timeline);
      }
      const isPrimary = async (withinMs: number) => (await observer.observe(withinMs, 'brief')).state === 'primary';
      await promote(layout, fence, isPrimary, clock, deadlineOf(clock, act));
      observer.refresh();
    },

    async archiveReceived(after) {
      const [seen, reading] = [await observer.observe(archiveLookMs, 'brief'), readControl(layout.controlFile)];
      if (seen.state !== 'primary' || reading.found !== 'control') return 0;
      const { walSegmentBytes: segmentBytes } = reading.control;
      return archiveReceived(layout, { timeline: seen.timeline, segmentBytes, after });
    },

    async stop(how, act) {
      const outcome = await stop({ layout, session, clock }, how, deadlineOf(clock, act));
      parts.ended();
      return outcome;
    },
  };
}
