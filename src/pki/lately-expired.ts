/**
 * Judges who asks for a new certificate with one that may have expired: whose key was proved by the connection that brought it.
 *
 * Invariant: it was a node's of this cluster, signed by its authority, and good until 30 days ago at least. Everything else about
 * it is as strict as for a certificate that is good.
 */
import type { X509Certificate } from 'node:crypto';
import { identityFrom } from './identity.ts';
import { judgeChain, type Trust } from './trust.ts';

export const expiredForAtMostMs = 30 * 24 * 60 * 60_000;

export type LateCaller =
  | { readonly known: true; readonly node: string }
  | { readonly known: false; readonly because: string };

/** `nowMs`: wall clock. */
export function judgeLateCaller(leaf: X509Certificate | undefined, trust: Trust, nowMs: number): LateCaller {
  const refuse = (because: string): LateCaller => ({ known: false, because });
  if (leaf === undefined) return refuse('no certificate was presented');
  const endsAtMs = Date.parse(leaf.validTo);
  if (!(nowMs < endsAtMs + expiredForAtMostMs)) return refuse('its certificate expired more than 30 days ago');
  const chainPem = [leaf, leaf.issuerCertificate].map((one) => one?.toString() ?? '').join('');
  const chain = judgeChain(chainPem, trust, Math.min(nowMs, endsAtMs - 1));
  if (!chain.trusted) return refuse(chain.because);
  const reading = identityFrom(chain.leaf);
  if (!reading.recognised) return refuse(reading.because);
  if (reading.identity.kind !== 'node') return refuse('only nodes renew their certificates here');
  return { known: true, node: reading.identity.name };
}
