import { describe, expect, it } from 'vitest';
import { whyOwned } from './owned-parameters.ts';
import { defaultTlsRules, postgresTls, type TlsRules, tlsPolicyOf, tlsServices } from './tls-policy.ts';

describe('the policy', () => {
  const excepted: TlsRules = {
    policy: 'modern',
    exceptions: [{ service: 'pooler', policy: 'compatible', because: 'an old driver' }],
  };

  it('holds for every service but those that are excepted', () => {
    for (const service of tlsServices) {
      expect(tlsPolicyOf(defaultTlsRules, service)).toBe('modern');
      expect(tlsPolicyOf(excepted, service)).toBe(service === 'pooler' ? 'compatible' : 'modern');
    }
  });
});

describe('what PostgreSQL is told', () => {
  it.each([13, 15, 17])('is what version %i knows', (major) => {
    expect(postgresTls('modern', major)).toEqual({
      ssl_min_protocol_version: 'TLSv1.3',
      ssl_max_protocol_version: '',
      ssl_ciphers: 'ECDHE+AESGCM:ECDHE+CHACHA20',
      ssl_prefer_server_ciphers: 'on',
      ssl_ecdh_curve: 'prime256v1',
    });
  });

  it('is more from version 18 on', () => {
    const told = postgresTls('compatible', 18);
    expect(told).toMatchObject({ ssl_min_protocol_version: 'TLSv1.2', ssl_groups: 'X25519:prime256v1' });
    expect(told.ssl_tls13_ciphers).toContain('TLS_AES_256_GCM_SHA384');
    expect(told).not.toHaveProperty('ssl_ecdh_curve');
  });

  it('can be said by nobody else', () => {
    const names = [13, 18].flatMap((major) => Object.keys(postgresTls('modern', major)));
    expect(names.filter((name) => whyOwned(name) === undefined)).toEqual([]);
  });
});
