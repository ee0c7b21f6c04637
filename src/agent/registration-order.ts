/**
 * Remembers certificates that others issued, as somebody registers them, until they are forgotten by an order.
 *
 * Invariant: what is kept of one was read from the certificate itself; under one name there is one, the last.
 */
import type { RegisteredAnswers, RegistrationRequest } from '../api/contract/certificates.ts';
import type { CertificateFacts, RegisteredCertificate } from '../core/registered.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { registeredKey } from '../records/keys.ts';
import type { StandingOrderParts } from './standing-order.ts';

export interface RegistrationParts extends StandingOrderParts {
  /** Throws CERTIFICATE_REFUSED when it is none. */
  readonly read: (certificatePem: string) => CertificateFacts;
}

const writeWithinMs = 5_000;
/** Far more than anybody looks at; the store is no place for a list without end. */
const mostRegistered = 500;

export function registeredAnswers(parts: RegistrationParts): RegisteredAnswers {
  const all = () => [...parts.mirror.image.registered.values()].map(({ value }) => value);
  return {
    all,
    register: (request, by) => register(parts, request, by),
    forget: (name, by) => forget(parts, name, by),
  };
}

async function register(
  parts: RegistrationParts,
  { certificatePem, name: wanted, where }: RegistrationRequest,
  by: string,
): Promise<RegisteredCertificate> {
  const { clock, emit, mirror } = parts;
  const facts = factsOf(parts, certificatePem);
  const name = wanted ?? facts.hostNames[0] ?? null;
  if (name === null) {
    throw new UnderstudyError('REQUEST_INVALID', 'the certificate has no host name to be called by', {
      hint: 'give it one with --name NAME',
    });
  }
  const { registered } = mirror.image;
  if (registered.size >= mostRegistered && !registered.has(name)) {
    throw new UnderstudyError('REFUSED', `${mostRegistered} certificates are registered already`, {
      hint: 'understudy certificates forget NAME',
    });
  }
  const record = { ...facts, name, where, registeredAt: clock.wallClock().toISOString(), by };
  await write(parts, name, { key: registeredKey(name), value: encodeRecord('registered', record) });
  emit('certificate.registered', { by, certificate: name, endsAt: facts.expiresAt.slice(0, 10) });
  return record;
}

/** Throws REQUEST_INVALID, REFUSED: one of the cluster's own is looked after already. */
function factsOf({ mirror, read }: RegistrationParts, certificatePem: string): CertificateFacts {
  let facts: CertificateFacts;
  try {
    facts = read(certificatePem);
  } catch (cause) {
    if (!isUnderstudyError(cause)) throw cause;
    const hint = 'send the certificate alone, in PEM';
    throw new UnderstudyError('REQUEST_INVALID', 'what was sent is no certificate', { cause, hint });
  }
  if (!mirror.image.certificates.has(facts.serial)) return facts;
  throw new UnderstudyError('REFUSED', `the cluster has issued this certificate itself (${facts.serial})`, {
    hint: 'understudy certificates lists it already',
  });
}

async function forget(parts: RegistrationParts, name: string, by: string) {
  if (!parts.mirror.image.registered.has(name)) {
    throw new UnderstudyError('NOT_FOUND', `no certificate ${JSON.stringify(name)} is registered`, {
      hint: 'understudy certificates lists them',
    });
  }
  await write(parts, name, { key: registeredKey(name), remove: true });
  parts.emit('certificate.forgotten', { by, certificate: name });
  return { accepted: true, because: `${name} is forgotten` };
}

async function write({ mirror, signal }: RegistrationParts, name: string, change: StoreWrite): Promise<void> {
  const revision = mirror.image.registered.get(name)?.revision ?? 'absent';
  const options = { withinMs: writeWithinMs, signal };
  const result = await mirror.transact([{ key: registeredKey(name), revision }], [change], options);
  if (!result.committed) throw new UnderstudyError('CONFLICT', `somebody else registered ${name} at the same time`);
}
