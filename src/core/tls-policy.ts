/**
 * Which versions and ciphers of TLS the cluster's services speak: one policy, with named exceptions. Pure; every adapter
 * asks here, and says it in its program's own words.
 *
 * Invariant: no service speaks less than TLS 1.2 with ephemeral keys and authenticated encryption, whatever is excepted.
 */

/** `store`: as its clients ask it; what its members offer is for whoever runs them (on a stage, the stage). */
export const tlsServices = ['postgresql', 'pooler', 'api', 'store'] as const;
export type TlsService = (typeof tlsServices)[number];

/** `modern`: TLS 1.3. `compatible`: 1.2 as well, for clients that know no better. */
export const tlsPolicies = ['modern', 'compatible'] as const;
export type TlsPolicy = (typeof tlsPolicies)[number];

export interface TlsException {
  readonly service: TlsService;
  readonly policy: TlsPolicy;
  /** For people: who needs it, and until when. */
  readonly because: string;
}

export interface TlsRules {
  readonly policy: TlsPolicy;
  readonly exceptions: readonly TlsException[];
}

export const defaultTlsRules: TlsRules = { policy: 'modern', exceptions: [] };

export function tlsPolicyOf(tls: TlsRules, service: TlsService): TlsPolicy {
  return tls.exceptions.find((exception) => exception.service === service)?.policy ?? tls.policy;
}

export interface TlsLimits {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Of TLS 1.2, as an OpenSSL cipher list (openssl-ciphers(1)); names nothing where 1.2 is not spoken. */
  readonly ciphers: string;
}

/** Of TLS 1.3 (RFC 8446, B.4): all that OpenSSL and Go have; without the one for devices with truncated tags. */
export const tls13Suites = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

/** Of TLS 1.2, as Go names them; the first two are the ones without which it speaks no HTTP/2 (RFC 7540, 9.2.2). */
export const goSuites = [
  'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
] as const;

const ephemeralAuthenticated = 'ECDHE+AESGCM:ECDHE+CHACHA20';

export function tlsLimits(policy: TlsPolicy): TlsLimits {
  // The list stays under `modern`, too: programs refuse an empty one, and nobody negotiates by it.
  return { minVersion: policy === 'modern' ? 'TLSv1.3' : 'TLSv1.2', ciphers: ephemeralAuthenticated };
}

/** PostgreSQL's parameters (documentation 20.3.3): from version 18 on the suites of 1.3 and the groups can be told, too. */
export function postgresTls(policy: TlsPolicy, major: number): Readonly<Record<string, string>> {
  const { ciphers, minVersion } = tlsLimits(policy);
  return {
    ssl_min_protocol_version: minVersion,
    ssl_max_protocol_version: '',
    ssl_ciphers: ciphers,
    ssl_prefer_server_ciphers: 'on',
    ...(major >= 18
      ? { ssl_tls13_ciphers: tls13Suites, ssl_groups: 'X25519:prime256v1' }
      : { ssl_ecdh_curve: 'prime256v1' }),
  };
}
