/**
 * Which standbys serve an app node's reads.
 *
 * Invariant: a standby that the topology no longer names is out at once, one that only lost its stream after a grace:
 * every standby does for a moment of a switchover. One comes in only after it was good for a while, and behind those that
 * serve already, since each change of the first costs poolers before 1.24 all their TLS connections, writers' included.
 * The first choice differs from app node to app node (rendezvous hashing): poolers that can use one address only still
 * spread over all standbys, and the loss of one moves only its own readers.
 */
import type { TopologyStandby } from '@understudy/client/topology';
import type { NodeName } from '../spec.ts';

/** Behind the primary by more than this: not taken in. */
export const readerJoinLagBytes = 16 * 1024 * 1024;
/** Behind by more than this: out. Four times as much, so that a standby at the edge does not come and go. */
export const readerLeaveLagBytes = 64 * 1024 * 1024;
/** Good for so long before it is taken in, except when there is no other. */
export const readerSettleMs = 2_000;

/** A reader may be without its stream for so long: the others follow a new primary within a second or two. */
export const readerGraceMs = 10_000;

export interface Reader {
  readonly node: NodeName;
  readonly address: string;
  readonly port: number;
}

export interface Readers {
  readonly chosen: readonly Reader[];
  /** Good ones that are not taken in yet. */
  readonly candidates: readonly { readonly node: NodeName; readonly sinceMs: number }[];
  /** Readers that lost their stream, and when that was first seen. */
  readonly straying: readonly { readonly node: NodeName; readonly sinceMs: number }[];
}

/** FNV-1a: spreads short texts well enough, and needs no library. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  // Names that differ in their last letter only must not end up side by side.
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  return (value ^ (value >>> 13)) >>> 0;
}

function isGood(standby: TopologyStandby, isReader: boolean, strayingMs: number): boolean {
  if (!standby.streaming && (!isReader || strayingMs > readerGraceMs)) return false;
  // Unknown is not false: it neither brings one in nor puts one out.
  if (standby.lagBytes === null) return isReader;
  return standby.lagBytes <= (isReader ? readerLeaveLagBytes : readerJoinLagBytes);
}

export function chooseReaders(
  self: NodeName,
  standbys: readonly TopologyStandby[],
  before: Readers,
  nowMs: number,
): Readers {
  const wasReader = (node: NodeName): boolean => before.chosen.some((reader) => reader.node === node);
  const straying = standbys
    .filter(({ node, streaming }) => !streaming && wasReader(node))
    .map(({ node }) => ({ node, sinceMs: before.straying.find((one) => one.node === node)?.sinceMs ?? nowMs }));
  const strayingMs = (node: NodeName): number => nowMs - (straying.find((one) => one.node === node)?.sinceMs ?? nowMs);
  const good = standbys.filter((standby) => isGood(standby, wasReader(standby.node), strayingMs(standby.node)));
  const hasStaying = good.some((standby) => wasReader(standby.node));
  const candidates: { node: NodeName; sinceMs: number }[] = [];
  const chosen = good.filter(({ node }) => {
    if (wasReader(node) || !hasStaying) return true;
    const sinceMs = before.candidates.find((candidate) => candidate.node === node)?.sinceMs ?? nowMs;
    if (nowMs - sinceMs >= readerSettleMs) return true;
    candidates.push({ node, sinceMs });
    return false;
  });
  const place = (node: NodeName): number => before.chosen.findIndex((reader) => reader.node === node);
  const rank = (node: NodeName): number => hash(`${self} ${node}`);
  const staying = chosen.filter(({ node }) => wasReader(node)).toSorted((a, b) => place(a.node) - place(b.node));
  const fresh = chosen
    .filter(({ node }) => !wasReader(node))
    .toSorted((a, b) => rank(b.node) - rank(a.node) || (a.node < b.node ? -1 : 1));
  const ordered = [...staying, ...fresh];
  return { chosen: ordered.map(({ node, address, port }) => ({ node, address, port })), candidates, straying };
}
