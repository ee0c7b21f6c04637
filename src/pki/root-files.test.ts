import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createIssuing, createRoot, type Root } from './authority.ts';
import { issue } from './issue.ts';
import { rootFiles } from './root-files.ts';
import { fingerprintOf, joinRoots } from './trust-statement.ts';

const cluster = 'psf';
const validity = { lifeMs: 365 * 86_400_000, nowMs: Date.now() };
let directory: string;
let [former, next]: Root[] = [];

const at = (name: string) => join(directory, name);
const pemOf = (root: Root | undefined) => root?.certificatePem ?? '';
const files = () =>
  rootFiles({
    ...{ cluster, roots: at('ca.crt'), others: [at('ca.crt'), at('store-ca.crt'), at('foreign-ca.crt')] },
    ...{ memory: at('trust.json'), chains: { node: at('node.pem') } },
  });

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'understudy-roots-'));
  [former, next] = await Promise.all([1, 2].map(() => createRoot({ cluster, ...validity })));
  if (former === undefined) throw new Error('no root');
  const issuing = await createIssuing(former, { cluster, ...validity });
  const chain = await issue(issuing, { kind: 'operator', cluster, name: 'kim', ...validity });
  const foreign = await createRoot({ cluster: 'other', ...validity });
  const texts = { 'node.pem': chain.certificatePem, 'ca.crt': pemOf(former), 'store-ca.crt': pemOf(former) };
  for (const [name, text] of Object.entries({ ...texts, 'foreign-ca.crt': pemOf(foreign) })) {
    writeFileSync(at(name), text);
  }
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it("replaces the cluster's roots in every file of theirs, no other's, and remembers what was said", async () => {
  const foreign = readFileSync(at('foreign-ca.crt'), 'utf8');
  const rootsPem = joinRoots(pemOf(former), pemOf(next));
  const statement = { number: 3, rootsPem, issueFrom: fingerprintOf(pemOf(former)) };
  expect(files().taken()).toBeNull();
  await files().put(statement);
  expect(['ca.crt', 'store-ca.crt', 'foreign-ca.crt'].map((name) => readFileSync(at(name), 'utf8'))).toEqual([
    rootsPem,
    rootsPem,
    foreign,
  ]);
  expect(files().taken()).toEqual(statement);
});

it('names what of its own would be trusted by nobody', () => {
  expect(files().orphans(joinRoots(pemOf(former), pemOf(next)))).toEqual([]);
  expect(files().orphans(pemOf(next))).toEqual(['node']);
});
