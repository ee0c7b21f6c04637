/**
 * The TLS that the API's server speaks: its certificate, and the policy of now.
 *
 * Invariant: a connection is taken by the policy and the certificate of the moment in which it comes; those that stand go on.
 */
import { constants } from 'node:crypto';
import type { Server } from 'node:https';
import { type TlsPolicy, tls13Suites, tlsLimits } from '../core/tls-policy.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Credentials } from '../pki/credential-files.ts';

export function tlsOptions(tls: Credentials, policy: TlsPolicy) {
  const { ciphers, minVersion } = tlsLimits(policy);
  return {
    ca: tls.caPem,
    cert: tls.certificatePem,
    key: tls.keyPem,
    minVersion,
    ciphers: `${tls13Suites}:${ciphers}`,
    // A resumed session is not verified again, and could outlive its certificate.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** `spoken`: by which the server was made. Answers how it gets another certificate, which throws CERTIFICATE_REFUSED. */
export function followTls(
  server: Server,
  made: { readonly tls: Credentials; readonly spoken: TlsPolicy },
  policy: () => TlsPolicy,
): (tls: Credentials) => void {
  let { tls, spoken } = made;
  // Before TLS has a look at it.
  server.prependListener('connection', () => {
    const wanted = policy();
    if (wanted === spoken) return;
    spoken = wanted;
    server.setSecureContext(tlsOptions(tls, wanted));
  });
  return (renewed) => {
    try {
      server.setSecureContext(tlsOptions(renewed, spoken));
      tls = renewed;
    } catch {
      // OpenSSL's text may quote a key.
      throw new UnderstudyError('CERTIFICATE_REFUSED', "the new certificate, its key or the authority's can't be used");
    }
  };
}
