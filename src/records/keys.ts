/** Where each value stands under the cluster's prefix. */
import type { NodeName } from '../core/spec.ts';

export const keys = {
  spec: 'spec',
  cluster: 'cluster',
  lease: 'lease',
  renewal: 'renewal',
  operation: 'operation',
  durability: 'durability',
  handsOff: 'hands-off',
  readOnly: 'read-only',
  acceptedLoss: 'accepted-loss',
} as const;

export const memberPrefix = 'members/';
export const poolerPrefix = 'poolers/';
export const ballotPrefix = 'ballots/';
export const timelinePrefix = 'timelines/';
export const eventPrefix = 'events/';
export const receiptPrefix = 'receipts/';

export function memberKey(node: NodeName): string {
  return `${memberPrefix}${node}`;
}

export function poolerKey(node: NodeName): string {
  return `${poolerPrefix}${node}`;
}

export function ballotKey(term: number, node: NodeName): string {
  return `${ballotPrefix}${term}/${node}`;
}

/** The timeline that the holder of a term writes on. */
export function timelineKey(term: number): string {
  return `${timelinePrefix}${term}`;
}

/** Padded, so that keys sort as the numbers do. */
export function eventKey(sequence: number): string {
  return `${eventPrefix}${String(sequence).padStart(12, '0')}`;
}

export function receiptKey(id: string): string {
  return `${receiptPrefix}${id}`;
}
