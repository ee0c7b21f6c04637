import { describe, expect, it } from 'vitest';
import { nodeSpec, specOf } from '../../test/fixtures/spec.ts';
import { clusterHostCovered, ownCertificatesOf, ownDirectoryName } from './own-certificates.ts';
import { planChanges } from './plan.ts';
import { defaultApplicationFiles, type OwnCertificateSpec } from './spec.ts';

const own = (name: string, ...roles: string[]): OwnCertificateSpec => ({
  ...{ name, roles, lifeMs: 86_400_000, reload: null, files: defaultApplicationFiles },
});

const spec = specOf([], {
  nodes: [nodeSpec('db1'), nodeSpec('web1', { roles: ['web'] }), nodeSpec('web2', { roles: ['mail', 'web'] })],
  certificates: [own('web.example.org', 'web'), own('mx.example.org', 'mail')],
});

describe('own certificates', () => {
  it('are those of the roles of a node', () => {
    const names = (node: string) => ownCertificatesOf(spec, node).map(({ name }) => name);
    expect(names('db1')).toEqual([]);
    expect(names('web1')).toEqual(['web.example.org']);
    expect(names('web2')).toEqual(['web.example.org', 'mx.example.org']);
    expect(names('web9')).toEqual([]);
  });

  it.each([
    ['db1', 'db1'],
    ['web1.psf.io', 'web1.psf.io'],
    ['postgresql.psf.io', 'postgresql.psf.io'],
    ['*.psf.io', 'postgresql.psf.io'],
    ['10.0.4.1', '10.0.4.1'],
    ['web.psf.io', null],
    ['*.web.psf.io', null],
    ['*.example.org', null],
  ])('%s stands for the cluster’s host %s', (name, host) => {
    expect(clusterHostCovered(spec, name)).toBe(host);
  });

  it('have a directory of a plain name', () => {
    expect(ownDirectoryName('*.example.org')).toBe('_wildcard.example.org');
    expect(ownDirectoryName('web.example.org')).toBe('web.example.org');
  });

  it('stand in a plan where they come, go and change', () => {
    const next = {
      ...spec,
      certificates: [
        { ...own('web.example.org', 'web'), reload: ['systemctl', 'reload', 'nginx'] },
        own('new.example.org', 'web'),
      ],
    };
    const { changes } = planChanges(spec, next, { primary: 'db1', databases: [] });
    expect(changes).toMatchObject([
      { kind: 'change', what: 'reload hook of certificate web.example.org', from: 'none', nodes: ['web1', 'web2'] },
      { kind: 'remove', what: 'certificate mx.example.org', nodes: ['web2'] },
      { kind: 'add', what: 'certificate new.example.org', nodes: ['web1', 'web2'] },
    ]);
  });
});
