import { describe, expect, it } from 'vitest';
import { spec3 } from '../../test/fixtures/spec.ts';
import { Peers, type Whereabouts } from './peers.ts';

function linked() {
  const made: (Whereabouts & { closed: boolean; close(): void })[] = [];
  const peers = new Peers(spec3, (to) => {
    const link = {
      ...to,
      closed: false,
      close() {
        this.closed = true;
      },
    };
    made.push(link);
    return link;
  });
  return { made, peers };
}

describe('links to peers', () => {
  it('are made once for each node, to where the spec says it is', () => {
    const { made, peers } = linked();
    const first = peers.link('db2');
    expect(peers.link('db2')).toBe(first);
    peers.link('db3');
    expect(made.map(({ node }) => node)).toEqual(['db2', 'db3']);
    const found = spec3().nodes.find(({ name }) => name === 'db2');
    expect(first).toMatchObject({ address: found?.address, hostName: expect.stringMatching(/^db2\./) });
  });

  it('are refused to nodes that the spec does not name', () => {
    const { made, peers } = linked();
    expect(() => peers.link('db9')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    expect(made).toEqual([]);
  });

  it('are all closed', () => {
    const { made, peers } = linked();
    peers.link('db2');
    peers.link('db3');
    peers.close();
    expect(made.map(({ closed }) => closed)).toEqual([true, true]);
  });
});
