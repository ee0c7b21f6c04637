import { describe, expect, it } from 'vitest';
import { commandText } from './command.ts';
import { type Examined, furthestFirst } from './standing.ts';

const node = (name: string, timeline: number, lsn: string, wasPrimary = false): Examined => ({
  node: name,
  systemIdentifier: '7',
  wasPrimary,
  timeline,
  lsn,
});
const order = (...all: Examined[]) => furthestFirst(all).map((one) => one.node);

describe('the furthest node', () => {
  it('is on the highest timeline, however long an earlier one went on', () => {
    expect(order(node('db1', 1, '0/9000000', true), node('db2', 2, '0/3000000'))).toEqual(['db2', 'db1']);
  });

  it('has the longest WAL of its timeline, compared as numbers', () => {
    expect(order(node('db1', 1, '0/FFFFFFFF'), node('db2', 1, '1/0'))).toEqual(['db2', 'db1']);
  });

  it('is the last primary among equals, since that needs no promotion', () => {
    expect(order(node('db1', 1, '0/3000000'), node('db2', 1, '0/3000000', true))).toEqual(['db2', 'db1']);
  });

  it('is never one without usable data', () => {
    expect(order({ node: 'db1', because: 'it has no data' }, node('db2', 1, '0/1'))).toEqual(['db2']);
  });
});

describe('a command', () => {
  it('is printed so that a shell reads the same words', () => {
    const args = ['-c', "select 'a b'", '/var/lib/x', ''];
    expect(commandText({ program: 'psql', args, as: null })).toBe(`psql -c 'select '\\''a b'\\''' /var/lib/x ''`);
  });

  it('says as whom it is performed', () => {
    const as = { name: 'postgres', uid: 1, gid: 1 };
    expect(commandText({ program: 'id', args: [], as })).toBe('runuser -u postgres -- id');
  });
});
