import { describe, expect, it } from 'vitest';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import { parseNodeFile, renderNodeFile } from './load-node-file.ts';
import type { NodeFile } from './node-file.ts';

function messageOf(text: string): string | null {
  try {
    parseNodeFile(text, 'node.yaml');
  } catch (error) {
    if (isUnderstudyError(error, 'CONFIG_INVALID')) return error.message;
    throw error;
  }
  return null;
}

describe('the node file', () => {
  it.each([[''], ['\n'], ['# to be written\n'], ['---\n'], ['~\n']])(
    'that says nothing is called empty: %j',
    (text) => {
      expect(messageOf(text)).toBe('node.yaml: the file is empty');
    },
  );

  it('that is no map is told at its beginning', () => {
    expect(messageOf('- db1\n')).toMatch(/^node\.yaml:1:1 Invalid input/);
  });
});

const node: NodeFile = {
  ...{ cluster: 'psf', domain: 'psf.io', node: 'pg0', role: 'database', api: { address: '10.0.0.1', port: 7432 } },
  directories: { data: '/d', run: '/r', log: '/l', state: '/s' },
  tls: { ca: '/t/ca', certificate: '/t/crt', key: '/t/key' },
  store: {
    ...{ endpoints: ['https://10.0.0.1:2379'], ca: '/e/ca', certificate: '/e/crt', key: '/e/key' },
    ...{ user: 'psf-pg0', passwordFile: '/e/password' },
  },
  databaseAgents: [{ node: 'pg0', address: '10.0.0.1' }],
  binaries: { postgres: null, pgbouncer: null },
  pooler: { listenAddress: '127.0.0.1' },
};

describe('a path of the node file', () => {
  const told = (section: 'directories' | 'tls', name: string, path: string, role: NodeFile['role'] = 'database') =>
    messageOf(renderNodeFile({ ...node, role, [section]: { ...node[section], [name]: path } }));

  it.each([
    ['directories', 'data', '/a\nb', 'line break'],
    ['directories', 'state', '/a\rb', 'line break'],
    ['tls', 'ca', '/a\nb', 'line break'],
    ['directories', 'run', '/a,b', "','"],
    ['directories', 'run', '/a ', 'blank at its end'],
    ['tls', 'key', '/a:b/key', "':'"],
  ] as const)('%s.%s %j is refused by its place', (section, name, path, what) => {
    const message = told(section, name, path);
    expect(message).toMatch(/^node\.yaml:\d+:\d+ /);
    expect(message).toContain(`${section}.${name}: `);
    expect(message).toContain(what);
  });

  it('is refused only where a program reads it', () => {
    expect(told('tls', 'key', '/a:b/key', 'app')).toBeNull();
    expect(told('tls', 'ca', '/ca ', 'app')).toContain('pgbouncer');
    expect(told('directories', 'run', '/a,b', 'witness')).toBeNull();
    for (const path of ['/100%', '/#1', '/a;b', '/a\\b', "/it's", '/"q"', '/a b', '/a?b', '/a=b', '/größer'])
      expect(['data', 'run', 'log', 'state'].map((name) => told('directories', name, path))).toEqual(
        Array(4).fill(null),
      );
  });
});
