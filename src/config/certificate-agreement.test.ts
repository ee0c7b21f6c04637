import { describe, expect, it } from 'vitest';
import { parseClusterText } from './load.ts';

const base = `cluster: psf
domain: psf.io
postgres: 17
nodes:
  database: { pg0: 10.0.1.10, pg1: 10.0.1.11, pg2: 10.0.1.12 }
  app: { web0: { address: 10.0.1.31, roles: [web] } }
certificates:
`;

function issues(certificate: string): readonly string[] {
  const loaded = parseClusterText(`${base}  ${certificate}\n`, 'c.yaml');
  return loaded.ok ? [] : loaded.issues.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

describe('own certificates of a cluster file', () => {
  it('are read with their defaults', () => {
    const loaded = parseClusterText(
      `${base}  web.example.org: { roles: [web], reload: [systemctl, reload, nginx] }\n`,
      'c.yaml',
    );
    expect(loaded).toMatchObject({
      spec: {
        certificates: [{ name: 'web.example.org', lifeMs: 604_800_000, reload: ['systemctl', 'reload', 'nginx'] }],
      },
    });
    expect(issues(`'*.example.org': { life: 2min, roles: [web] }`)).toEqual([]);
  });

  it.each([
    `'../../etc/passwd'`,
    `'web.example.org/..'`,
    `'..'`,
    `"web.example.org'; DROP TABLE users; --"`,
    `'web example.org'`,
    `'$(reboot).example.org'`,
    `Web.Example.org`,
    `'*'`,
    `'*.'`,
    `'*.org.'`,
    `'*.*.example.org'`,
    `'w*.example.org'`,
    `'web.*.org'`,
    `'10.0.0.1'`,
    `${'a'.repeat(64)}.example.org`,
    `'${'a.'.repeat(127)}org'`,
  ])('%s is no name, told with its place', (name) => {
    expect(issues(`${name}: { roles: [web] }`)).toEqual([expect.stringMatching(/^8:3 .*(no name|an address)/)]);
  });

  it.each([
    ['pg0.psf.io: { roles: [web] }', /^8:3 .*pg0\.psf\.io, a host of the cluster itself/],
    [`'*.psf.io': { roles: [web] }`, /^8:3 .*postgresql\.psf\.io/],
    ['web.example.org: { roles: [wbe] }', /no role of any node\. Did you mean 'web'/],
    ['web.example.org: { roles: [web, web] }', /there twice/],
    ['web.example.org: { roles: [] }', /At least one role/],
    ['web.example.org: { roles: [web], days: 3, life: 3d }', /One of them/],
    ['web.example.org: { roles: [web], reload: systemctl reload nginx }', /no absolute path/],
    ['web.example.org: { roles: [web], reload: [sh, -c, reboot] }', /begins with a shell/],
    ['web.example.org: { roles: [web], reload: [/bin/bash, -c, reboot] }', /begins with a shell/],
    ['web.example.org: { roles: [web], reload: [../../tmp/x] }', /begins with no program/],
    ['web.example.org: { roles: [web], reload: [] }', /is empty/],
  ])('%s is refused', (certificate, because) => {
    expect(issues(certificate)).toEqual([expect.stringMatching(because)]);
  });
});
