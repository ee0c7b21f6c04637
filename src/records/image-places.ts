/**
 * Which value of the store belongs where in its image: two tables, of single keys and of prefixes. Pure.
 *
 * Invariants: a value that does not pass its schema counts as unknown, and its key is listed; a key that is in neither
 * table is a newer version's and changes nothing.
 */
import type { Stored } from '../core/cluster-view.ts';
import { credentialName } from '../core/credential.ts';
import { decodeRecord, type RecordKind, type Records } from './codecs.ts';
import {
  auditPrefix,
  ballotPrefix,
  certificatePrefix,
  endedRunPrefix,
  eventPrefix,
  keys,
  memberPrefix,
  parseCredentialKey,
  poolerPrefix,
  receiptPrefix,
  registeredPrefix,
  revocationListPrefix,
  revocationPrefix,
  sealingPrefix,
  secretPrefix,
  timelinePrefix,
  tokenPrefix,
  trustingPrefix,
} from './keys.ts';
import type { StoreImage } from './store-image.ts';

/** One key as it is in the store now. */
export interface Found {
  readonly key: string;
  /** `null`: removed. */
  readonly value: string | null;
  readonly revision: number;
}

/** `rest`: what follows the prefix in the key. */
type Place = (image: StoreImage, found: Found, rest: string) => StoreImage;
type Put<T> = (stored: Stored<T> | null, image: StoreImage, rest: string) => Partial<StoreImage>;
type Read<T> = Stored<T> | null | 'unreadable';

const singles: ReadonlyMap<string, Place> = new Map([
  [keys.spec, placeOf('spec', (spec) => ({ spec }))],
  [keys.cluster, placeOf('cluster', (cluster) => ({ cluster }))],
  [keys.lease, placeOf('lease', (lease) => ({ lease }))],
  [keys.renewal, placeOf('renewal', (renewal) => ({ renewal }))],
  [keys.operation, placeOf('operation', (operation) => ({ operation }))],
  [keys.durability, placeOf('durability', (durability) => ({ durability }))],
  [keys.readOnly, placeOf('readOnly', (readOnly) => ({ readOnly }))],
  [keys.handsOff, placeOf('handsOff', (handsOff) => ({ handsOff }))],
  [keys.acceptedLoss, placeOf('accepted-loss', (acceptedLoss) => ({ acceptedLoss }))],
  [keys.authority, placeOf('authority', (authority) => ({ authority }))],
  [keys.trust, placeOf('trust', (trust) => ({ trust }))],
  [keys.backupRun, placeOf('backup-run', (backupRun) => ({ backupRun }))],
  [keys.repository, placeOf('repository', (repository) => ({ repository }))],
]);

/** No prefix is the beginning of another. */
const lists: readonly (readonly [prefix: string, place: Place])[] = [
  [memberPrefix, placeOf('member', (one, { members }, node) => ({ members: withEntry(members, node, one) }))],
  [poolerPrefix, placeOf('pooler', (one, { poolers }, node) => ({ poolers: withEntry(poolers, node, one) }))],
  [sealingPrefix, placeOf('sealing', (one, { sealing }, node) => ({ sealing: withEntry(sealing, node, one) }))],
  [secretPrefix, placeSecret],
  [
    certificatePrefix,
    placeOf('certificate', (one, { certificates }, serial) => ({ certificates: withEntry(certificates, serial, one) })),
  ],
  [trustingPrefix, placeOf('trusting', (one, { trusting }, node) => ({ trusting: withEntry(trusting, node, one) }))],
  [
    registeredPrefix,
    placeOf('registered', (one, { registered }, name) => ({ registered: withEntry(registered, name, one) })),
  ],
  [
    revocationPrefix,
    placeOf('revocation', (one, { revocations }, serial) => ({ revocations: withEntry(revocations, serial, one) })),
  ],
  [
    revocationListPrefix,
    placeOf('revocation-list', (one, { revocationLists }, serial) => ({
      revocationLists: withEntry(revocationLists, serial, one),
    })),
  ],
  [tokenPrefix, placeOf('token', (one, { tokens }, node) => ({ tokens: withEntry(tokens, node, one) }))],
  [
    endedRunPrefix,
    placeOf('backup-run', (one, { endedRuns }, work) => ({ endedRuns: withEntry(endedRuns, work, one) })),
  ],
  [auditPrefix, placeOf('audit', (one, { audits }, node) => ({ audits: withEntry(audits, node, one) }))],
  [ballotPrefix, placeOf('ballot', (one, { ballots }, name) => ({ ballots: withEntry(ballots, name, one) }))],
  [
    timelinePrefix,
    placeOf('timeline', (one, { timelines }, term) => ({ timelines: withEntry(timelines, Number(term), one) })),
  ],
  [eventPrefix, placeEvent],
  [
    receiptPrefix,
    placeOf('receipt', (one, { receipts }, id) => {
      const others = receipts.filter((receipt) => receipt.id !== id);
      return { receipts: sorted(others, one?.value ?? null, (receipt) => receipt.id) };
    }),
  ],
];

export function place(image: StoreImage, found: Found): StoreImage {
  const single = singles.get(found.key);
  if (single !== undefined) return single(image, found, '');
  for (const [prefix, placeListed] of lists) {
    if (found.key.startsWith(prefix)) return placeListed(image, found, found.key.slice(prefix.length));
  }
  return image;
}

function placeOf<K extends RecordKind>(kind: K, put: Put<Records[K]>): Place {
  return (image, found, rest) => settle(image, found.key, read(kind, found), (stored) => put(stored, image, rest));
}

/** Among them are credentials, which have a schema; any other is text for whom it is sealed to. */
function placeSecret(image: StoreImage, found: Found, rest: string): StoreImage {
  const credential = parseCredentialKey(found.key);
  if (credential !== null) {
    const name = credentialName(credential.node, credential.application);
    return settle(image, found.key, read('credential', found), (record) => ({
      credentials: withEntry(image.credentials, name, record),
    }));
  }
  const { key, value, revision } = found;
  const stored = value === null ? null : { value, revision };
  return settle(image, key, stored, (secret) => ({ secrets: withEntry(image.secrets, rest, secret) }));
}

function placeEvent(image: StoreImage, found: Found, rest: string): StoreImage {
  const sequence = Number(rest);
  const others = image.events.filter((event) => event.sequence !== sequence);
  const event = read('event', found);
  // An event that only a newer version knows is left out; nothing is decided by it.
  const known = event === 'unreadable' ? null : event;
  return settle(image, found.key, known, (stored) => ({
    events: sorted(others, stored?.value ?? null, (each) => each.sequence),
  }));
}

function read<K extends RecordKind>(kind: K, { value, revision }: Found): Read<Records[K]> {
  if (value === null) return null;
  const decoded = decodeRecord(kind, value);
  return decoded.ok ? { value: decoded.value, revision } : 'unreadable';
}

/** Unreadable counts as unknown: the place is emptied, and the key listed until it is readable or gone. */
function settle<T>(
  image: StoreImage,
  key: string,
  value: Read<T>,
  put: (value: Stored<T> | null) => Partial<StoreImage>,
): StoreImage {
  const others = image.unreadable.filter((other) => other !== key);
  if (value === 'unreadable') return { ...image, ...put(null), unreadable: [...others, key] };
  return { ...image, ...put(value), unreadable: others };
}

function withEntry<K, T>(map: ReadonlyMap<K, T>, key: K, value: T | null): ReadonlyMap<K, T> {
  const next = new Map(map);
  if (value === null) next.delete(key);
  else next.set(key, value);
  return next;
}

function sorted<T>(others: readonly T[], added: T | null, by: (value: T) => number | string): readonly T[] {
  if (added === null) return others;
  return [...others, added].sort((a, b) => (by(a) < by(b) ? -1 : 1));
}
