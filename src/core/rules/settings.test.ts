import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeSpec, specOf } from '../../../test/fixtures/spec.ts';
import { loginRoles } from '../application-roles.ts';
import { defaultApplicationFiles, type NodeSpec, nodesOfRole } from '../spec.ts';
import { serverConfiguration } from './settings.ts';

const facts = {
  socketDirectory: '/run/understudy',
  tls: { ca: '/etc/understudy/ca.crt', certificate: '/etc/understudy/node.crt', key: '/etc/understudy/node.key' },
  osUser: 'postgres',
  archiveCommand: null,
  archiveHold: '/run/archive-hold',
  memoryBytes: 16 * 1024 ** 3,
  floor: {},
  syncNames: '',
};

const address = fc.oneof(fc.ipV4(), fc.ipV6());
// Names as unkind as a certificate or a database can bear, with words that mean something in these files.
const name = fc.oneof(
  fc.constantFrom('all', 'replication', 'trust', 'host', '+admins', '@file', 'samerole', 'a b', '#x', 'db,other'),
  fc.stringMatching(/^[a-z][a-z0-9_.-]{0,20}$/),
);
const generated = fc
  .record({
    database: fc.uniqueArray(fc.tuple(name, address), { minLength: 1, maxLength: 4, selector: ([node]) => node }),
    app: fc.uniqueArray(fc.tuple(name, address), { maxLength: 4, selector: ([node]) => node }),
    applications: fc.uniqueArray(fc.tuple(name, name), { maxLength: 3, selector: ([each]) => each }),
  })
  .map(({ database, app, applications }) => {
    const nodes: NodeSpec[] = [
      ...database.map(([node, where]) => nodeSpec('db1', { name: `d-${node}`, address: where })),
      ...app.map(([node, where]) => nodeSpec('web1', { name: `a-${node}`, address: where })),
    ];
    return specOf([], {
      nodes,
      applications: applications.map(([application, on]) => ({
        name: application,
        database: on,
        rights: 'rw',
        nodes: app.map(([node]) => `a-${node}`),
        poolSize: null,
        outage: 'hold',
        files: defaultApplicationFiles,
        rotateEveryMs: null,
      })),
    });
  });

/** Splits a line as PostgreSQL does: blanks separate, double quotes hold together. */
const wordsOf = (line: string) => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([whole]) => whole);

describe('serverConfiguration', () => {
  it('delays the replay where that is declared, and keeps its reads from holding up vacuum', () => {
    const { postgres } = specOf([]);
    const spec = specOf([], {
      nodes: [nodeSpec('db1'), nodeSpec('db2', { failover: 'never', applyDelayMs: 14_400_000 })],
      postgres: { ...postgres, parameters: { hot_standby_feedback: 'on' } },
    });
    const of = (node: string) => serverConfiguration(spec, node, facts).parameters;
    expect(of('db1')).toMatchObject({ recovery_min_apply_delay: '0ms', hot_standby_feedback: 'on' });
    expect(of('db2')).toMatchObject({ recovery_min_apply_delay: '14400000ms', hot_standby_feedback: 'off' });
    const copied = 'local replication "postgres" peer map=understudy';
    const admits = (node: string) => serverConfiguration(spec, node, facts).hba.includes(copied);
    expect([admits('db1'), admits('db2')]).toEqual([false, true]);
  });

  it('admits over the network only by certificate, every member, every application from its nodes, and nobody else', () => {
    fc.assert(
      fc.property(generated, (spec) => {
        const members = nodesOfRole(spec, 'database');
        const { hba, ident } = serverConfiguration(spec, members[0]?.name ?? '', facts);
        expect(hba[0]).toBe('local all "postgres" peer map=understudy');
        for (const line of hba.slice(1)) {
          const [kind, database, role, from, method, map, ...more] = wordsOf(line);
          expect([kind, more]).toEqual(['hostssl', []]);
          expect(role).toMatch(/^".*"$/);
          expect(from).toMatch(/\/(32|128)$/);
          if (database === 'replication')
            expect([role, method, map]).toEqual(['"understudy_replication"', 'cert', 'map=members']);
          else if (map === 'map=rewinds')
            expect([database, role, method]).toEqual(['"postgres"', '"understudy_rewind"', 'cert']);
          else
            expect([database?.startsWith('"'), method, map]).toEqual([true, 'scram-sha-256', 'clientcert=verify-ca']);
        }
        for (const node of members) {
          expect(
            hba.some((line) => line.startsWith('hostssl replication ') && line.includes(` ${node.address}/`)),
          ).toBe(true);
          expect(ident).toContain(`members "${node.name}" "understudy_replication"`);
          expect(ident).toContain(`rewinds "${node.name}" "understudy_rewind"`);
        }
        for (const { name: application, nodes } of spec.applications) {
          for (const node of nodes) {
            for (const login of loginRoles(application, node))
              expect(hba.some((line) => wordsOf(line)[2] === `"${login}"`)).toBe(true);
          }
        }
        for (const line of ident) expect(wordsOf(line)).toHaveLength(3);
        for (const line of ident.filter((each) => each.startsWith('understudy ')))
          expect(line).toBe('understudy "postgres" "postgres"');
      }),
    );
  });

  it('writes who else is declared behind everybody, and nobody without TLS', () => {
    const base = specOf(['db1', 'web1']);
    const hba = [
      { user: 'auditor', database: 'shop', from: '10.0.9.0/24', method: 'scram-sha-256' },
      { user: 'probe', database: 'all', from: 'fd00::9/128', method: 'cert' },
      { user: 'metrics', database: 'postgres', from: null, method: 'peer' },
    ] as const;
    const written = serverConfiguration({ ...base, postgres: { ...base.postgres, hba } }, 'db1', facts);
    const own = serverConfiguration(base, 'db1', facts);
    expect(written.hba).toEqual([
      ...own.hba,
      'hostssl "shop" "auditor" 10.0.9.0/24 scram-sha-256',
      'hostssl all "probe" fd00::9/128 cert',
      'local "postgres" "metrics" peer map=understudy',
    ]);
    expect(written.ident).toContain('understudy "postgres" "metrics"');
  });

  it('lets the declaration win over defaults, and over nothing that is owned', () => {
    const base = specOf(['db1']);
    const parameters = {
      Work_Mem: '64MB',
      shared_buffers: '1GB',
      SSL: 'off',
      listen_addresses: '*',
      restart_after_crash: 'on',
    };
    const { parameters: written } = serverConfiguration(
      { ...base, postgres: { ...base.postgres, parameters } },
      'db1',
      facts,
    );
    expect(written).toMatchObject({
      work_mem: '64MB',
      shared_buffers: '1GB',
      ssl: 'on',
      listen_addresses: '10.0.1.1',
      restart_after_crash: 'off',
      max_slot_wal_keep_size: '8192MB',
    });
    expect(Object.keys(written).every((key) => key === key.toLowerCase())).toBe(true);
  });

  it('says nothing that version 13 does not know', () => {
    const base = specOf(['db1']);
    const { parameters } = serverConfiguration({ ...base, postgres: { ...base.postgres, major: 13 } }, 'db1', facts);
    expect(parameters).not.toHaveProperty('client_connection_check_interval');
  });

  it('refuses what can not be written, and nodes that run no server', () => {
    expect(() => serverConfiguration(specOf(['web1']), 'web1', facts)).toThrow(RangeError);
    for (const evil of ['db1"\nhost all all all trust', '/.*']) {
      const spec = specOf([], { nodes: [nodeSpec('db1', { name: evil })] });
      expect(() => serverConfiguration(spec, evil, facts)).toThrow(RangeError);
    }
  });
});

describe('the floor', () => {
  it('gives a standby at least what its primary runs with, and the primary what is declared', () => {
    const [spec] = fc.sample(generated, 1);
    if (spec === undefined) throw new Error('no sample');
    const lowered = { ...spec, postgres: { ...spec.postgres, parameters: { max_connections: '50' } } };
    const self = nodesOfRole(lowered, 'database')[0]?.name ?? '';
    const floor = { max_connections: 200, max_worker_processes: 8 };
    expect(serverConfiguration(lowered, self, facts).parameters.max_connections).toBe('50');
    expect(serverConfiguration(lowered, self, { ...facts, floor }).parameters.max_connections).toBe('200');
  });
});
