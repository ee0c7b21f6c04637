/**
 * `synchronous_standby_names` for a set of standbys, and back (documentation 20.6.2).
 *
 * Only the form that this product writes is read: what was set by hand is no set that anything can rest on.
 */
import { nobody, type SyncSet } from '../core/durability.ts';

export function syncNames({ standbys, k }: SyncSet): string {
  if (standbys.length === 0) return '';
  const names = standbys.map((name) => `"${name.replaceAll('"', '""')}"`);
  return `ANY ${k} (${names.join(', ')})`;
}

/** `null`: not of our form. */
export function parseSyncNames(text: string): SyncSet | null {
  if (text.trim() === '') return nobody;
  const match = /^ANY ([1-9]\d*) \((.*)\)$/.exec(text);
  if (match === null) return null;
  const [, k = '', list = ''] = match;
  const names = [...list.matchAll(/"((?:[^"]|"")*)"(?:, |$)/g)].map(([, name = '']) => name.replaceAll('""', '"'));
  const set = { standbys: names, k: Number(k) };
  return syncNames(set) === text ? set : null;
}
