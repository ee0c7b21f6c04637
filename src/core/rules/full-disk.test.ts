/** When a primary leaves a disk that is as good as full, and for whom. */
import { expect, it } from 'vitest';
import {
  clusterView,
  memberStatus,
  members,
  memoryRenewed,
  nowMs,
  standby,
  stored,
  term,
} from '../../../test/fixtures/view.ts';
import type { ClusterView } from '../cluster-view.ts';
import { decide } from '../decide.ts';
import { assess } from '../situation.ts';
import { type MoveAway, type MoveTried, moveFromFullDisk } from './full-disk.ts';

const mebibyte = 1024 * 1024;
const durability = stored({ term: 5, standbys: ['db2', 'db3'], k: 1, holder: 'db1' });
const roomy = (db2Mb: number | null, db3Mb: number | null): ClusterView['store']['members'] =>
  members(
    memberStatus('db2', { diskFreeBytes: db2Mb === null ? null : db2Mb * mebibyte }),
    memberStatus('db3', { diskFreeBytes: db3Mb === null ? null : db3Mb * mebibyte }),
  );

interface Moment {
  readonly freeMb: number | null;
  readonly peers: ClusterView['store']['members'];
  readonly more?: Partial<ClusterView>;
  readonly handsOff?: ClusterView['store']['handsOff'];
  readonly tried?: MoveTried;
  readonly shutOut?: ClusterView['store']['shutOut'];
}

function moved({ freeMb, peers, more = {}, handsOff = null, tried, shutOut = new Set() }: Moment): MoveAway | null {
  const diskFreeBytes = freeMb === null ? null : freeMb * mebibyte;
  const view = clusterView({ diskFreeBytes, store: { members: peers, durability, handsOff, shutOut }, ...more });
  return moveFromFullDisk(assess(view, decide(view, memoryRenewed(10)).memory), tried ?? null);
}

const full = { freeMb: 63, peers: roomy(300, 400) };
const away = { to: 'db3', freeBytes: 63 * mebibyte };
const off = stored({ by: 'ada', forMs: 60_000, leftMs: 60_000, at: '2026-11-21T10:00:00.000Z' });

it.each<[string, Moment, MoveAway | null]>([
  ['goes to the node with most room', full, away],
  ['goes to nobody whose certificate was revoked', { ...full, shutOut: new Set(['db3']) }, { ...away, to: 'db2' }],
  ['stays while it has room itself', { freeMb: 64, peers: roomy(300, 400) }, null],
  ['stays where nothing is known of its disk', { freeMb: null, peers: roomy(300, 400) }, null],
  ['stays where the others have little more', { freeMb: 10, peers: roomy(200, 255) }, null],
  ['stays where nothing is known of theirs', { freeMb: 10, peers: roomy(null, null) }, null],
  ['stays while hands are off', { freeMb: 10, peers: roomy(300, 400), handsOff: off }, null],
  ['stays a while after a move that came to nothing', { ...full, tried: { term, atMs: nowMs - 59_999 } }, null],
  ['tries again then', { ...full, tried: { term, atMs: nowMs - 60_000 } }, away],
  ['tries at once in another term', { ...full, tried: { term: term - 1, atMs: nowMs } }, away],
  ['that is a standby stays', { freeMb: 10, peers: roomy(300, 400), more: { postgres: standby() } }, null],
])('a primary %s', (_, moment, expected) => {
  expect(moved(moment)).toEqual(expected);
});
