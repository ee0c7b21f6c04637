/** Throws damaged declarations at the loader of cluster files, and damaged values at the schemas of everything in the store. */
import { readdirSync, readFileSync } from 'node:fs';
import { parseClusterText } from '../../src/config/load.ts';
import { decodeRecord, encodeRecord, type RecordKind } from '../../src/records/codecs.ts';
import { applyChanges } from '../../src/records/image-changes.ts';
import {
  auditKey,
  ballotKey,
  certificateKey,
  credentialKey,
  eventKey,
  keys,
  memberKey,
  poolerKey,
  receiptKey,
  registeredKey,
  revocationKey,
  revocationListKey,
  sealingKey,
  timelineKey,
  tokenKey,
  trustingKey,
} from '../../src/records/keys.ts';
import { emptyImage, type StoreImage } from '../../src/records/store-image.ts';
import type { Random } from '../../src/sim/world/random.ts';
import { exampleRecords, recordKinds } from '../fixtures/records.ts';
import { Account, draws, type Span, type Tally } from './account.ts';
import { asJson, damaged, disturbed, huge, type Json, wildText, wildValue } from './wild.ts';

/** Of processor time, on whatever machine: a text that costs more is a way to hold somebody up. */
const readWithinMs = 2_000;

const examples = new URL('../../examples/', import.meta.url);
const declarations = readdirSync(examples)
  .filter((name) => name.endsWith('.yaml'))
  .sort()
  .map((name) => readFileSync(new URL(name, examples), 'utf8'));

const yamlTraps: readonly string[] = [
  'a: &a [*a, *a]\n',
  'x: &x {y: *x}\n',
  '? {a: b}\n: c\n',
  '%YAML 9.9\n---\n',
  'cluster: !!binary AAAA\n',
  'cluster: !<tag:x> y\n',
  '\t- tab\n',
  '---\n---\n---\n',
  '- '.repeat(2_000),
  `${'['.repeat(5_000)}\n`,
  `${' '.repeat(5_000)}a: 1\n`,
  `a: ${'&b '.repeat(500)}\n`,
  'a: |\n  x\n b: >\n',
  '<<: *none\n',
  '\uFEFFcluster: x\n',
  'cluster: "\\x00\\u2028"\n',
];

function declaration(random: Random): string {
  const text = random.pick(declarations);
  switch (random.integer(0, 6)) {
    case 0:
      return random.pick(yamlTraps) + damaged(random, text);
    case 1:
      return `${text}${random.pick(yamlTraps)}`;
    case 2:
      return withAnotherValue(random, text);
    case 3:
      return JSON.stringify(wildValue(random, 5));
    case 4:
      return random.chance(0.05) ? huge(random) : damaged(random, damaged(random, text));
    case 5:
      return damaged(random, text);
    default:
      return withAnotherValue(random, withAnotherValue(random, text));
  }
}

/** One line's value is replaced: well-formed, and seldom right. */
function withAnotherValue(random: Random, text: string): string {
  const lines = text.split('\n');
  const at = random.integer(0, lines.length - 1);
  const line = lines[at] ?? '';
  const cut = line.indexOf(': ');
  const value = random.chance(0.5) ? JSON.stringify(wildValue(random, 2)) : wildText(random);
  return lines.with(at, cut === -1 ? `${line} ${value}` : `${line.slice(0, cut)}: ${value}`).join('\n');
}

export function fuzzDeclarations(span: Span): Tally {
  const account = new Account('spec');
  for (const [number, random] of draws('spec', span)) {
    const text = declaration(random);
    const begun = process.cpuUsage();
    try {
      const loaded = parseClusterText(text, 'cluster.yaml');
      if (process.cpuUsage(begun).user / 1_000 > readWithinMs)
        account.fault(number, `it took more than ${readWithinMs} ms`, text);
      else if (loaded.ok) account.note('accepted');
      else if (loaded.issues.length === 0) account.fault(number, 'refused without a reason', text);
      else account.note('refused');
    } catch (error) {
      account.fault(number, `it threw ${String(error)}`, text);
    }
  }
  return account.tally;
}

const wildKeys: readonly string[] = [
  'members/',
  'ballots/',
  'timelines/x',
  'events/',
  'receipts/../x',
  'audit/',
  'later/',
  '__proto__',
  '',
];

const places: Readonly<Record<RecordKind, string>> = {
  spec: keys.spec,
  cluster: keys.cluster,
  lease: keys.lease,
  renewal: keys.renewal,
  operation: keys.operation,
  durability: keys.durability,
  handsOff: keys.handsOff,
  readOnly: keys.readOnly,
  'accepted-loss': keys.acceptedLoss,
  ballot: ballotKey(4, 'db2'),
  timeline: timelineKey(3),
  member: memberKey('db2'),
  pooler: poolerKey('web1'),
  event: eventKey(1),
  receipt: receiptKey('R-0001'),
  audit: auditKey('db1'),
  sealing: sealingKey('db1'),
  credential: credentialKey('app1', 'shop'),
  certificate: certificateKey('0A'),
  authority: keys.authority,
  trust: keys.trust,
  trusting: trustingKey('db1'),
  registered: registeredKey('shop.example.org'),
  revocation: revocationKey('0A'),
  'revocation-list': revocationListKey('0B'),
  token: tokenKey('db3'),
  'backup-run': keys.backupRun,
  repository: keys.repository,
};

/** A value for a key of the store, and where it stands. */
function record(random: Random): { readonly kind: RecordKind; readonly key: string; readonly text: string } {
  const kind = random.pick(recordKinds);
  const value = exampleRecords[kind];
  const key = places[kind];
  const shape: Json = asJson(value);
  const text = (): string => {
    switch (random.integer(0, 5)) {
      case 0:
        return damaged(random, JSON.stringify(value));
      case 1:
        return JSON.stringify(wildValue(random));
      case 2:
        return random.chance(0.05) ? huge(random) : wildText(random);
      default:
        return JSON.stringify(disturbed(random, shape));
    }
  };
  return { kind, key: random.chance(0.1) ? random.pick(wildKeys) + wildText(random).slice(0, 50) : key, text: text() };
}

/** What is accepted must mean the same when it is written again: else two agents could see two things. */
export function fuzzStoreValues(span: Span): Tally {
  const account = new Account('store');
  let image: StoreImage = emptyImage();
  for (const [number, random] of draws('store', span)) {
    const { key, kind, text } = record(random);
    try {
      const decoded = decodeRecord(kind, text);
      if (decoded.ok) {
        const again = decodeRecord(kind, encodeRecord(kind, decoded.value));
        const isSame = again.ok && JSON.stringify(again.value) === JSON.stringify(decoded.value);
        if (!isSame) {
          account.fault(number, `${kind}: accepted, and another value when it is written again`, text);
          continue;
        }
      } else if (decoded.because === '') {
        account.fault(number, `${kind}: refused without a reason`, text);
        continue;
      }
      const revision = number + 1;
      image = applyChanges(image, [{ kind: 'put', entry: { key, value: text, revision } }], revision);
      // What holds the cluster's whole state forgets what is overwritten.
      if (number % 500 === 499) image = emptyImage();
      account.note(decoded.ok ? 'accepted' : 'refused');
    } catch (error) {
      account.fault(number, `${kind}: it threw ${String(error)}`, text);
    }
  }
  return account.tally;
}
