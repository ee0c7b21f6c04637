/**
 * Seals a secret to one node, for one place in the store; and opens what was sealed (docs/adr/0026).
 *
 * A key is agreed upon between a new ephemeral key and the node's sealing key (ECDH on P-256, HKDF-SHA256), the secret is
 * encrypted with it (AES-256-GCM), and all of it is signed (ECDSA) by the sealing key of a database node.
 *
 * Invariants: each bit of a sealed text counts: it has one spelling, and any other text is refused. Nothing is decrypted
 * before the signature was verified and its signer's certificate traced to a root. Who can write the store can
 * withhold a secret or put back an older one of the same place, and nothing else.
 */
import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
  X509Certificate,
} from 'node:crypto';
import { z } from 'zod';
import { type SealingCertificate, type SealingKey, sealingCertificateOf } from './sealing-key.ts';
import { judgeChain, readCertificates, type Trust } from './trust.ts';

export interface SealRequest {
  readonly secret: Uint8Array;
  readonly cluster: string;
  /** The key in the store under which it will stand; it opens under no other. */
  readonly context: string;
  readonly to: SealingCertificate;
  readonly by: SealingKey;
  /** Wall clock. */
  readonly nowMs: number;
}

export type SealRefusal =
  | 'malformed'
  | 'other-cluster'
  | 'other-context'
  /** Sealed to another node, or to a key that this node had before. */
  | 'other-key'
  | 'signer-untrusted'
  | 'signature-wrong'
  | 'undecipherable';

export type Unsealed =
  | { readonly ok: true; readonly secret: Buffer; readonly sealedBy: string; readonly sealedAtMs: number }
  | { readonly ok: false; readonly refusal: SealRefusal; readonly because: string };

const purpose = 'understudy seal 1';
const tagBytes = 16;
const keyBytes = 32;
const ivBytes = 12;
/** Far more than any secret has, and little enough to be parsed at once. */
const largestText = 1_048_576;

const base64 = z.string().regex(/^[A-Za-z0-9_-]+$/);
const envelope = z.strictObject({
  version: z.literal(1),
  cluster: z.string(),
  context: z.string(),
  to: z.string(),
  /** The SHA-256 of the public key that it is sealed to. */
  key: base64,
  at: z.int().min(0).max(8_640_000_000_000_000),
  /** The signer's certificate and that of its issuing authority, as DER. */
  by: z.tuple([base64, base64]),
  ephemeral: base64,
  text: base64,
});
const signed = envelope.extend({ signature: base64 });
type Envelope = z.infer<typeof envelope>;

/** One line of JSON, without line break. */
export function seal(request: SealRequest): string {
  const { to, by } = request;
  // No key pair of KeyObjects: exporting one for its point hangs the process now and then (see signing-request.ts).
  const exchange = createECDH('prime256v1');
  const ephemeral = exchange.generateKeys();
  const [leaf = '', issuing = ''] = (readCertificates(by.chainPem) ?? []).map(({ raw }) => encode(raw));
  const head = {
    version: 1 as const,
    cluster: request.cluster,
    context: request.context,
    to: to.node,
    key: encode(thumbprint(to.publicKey)),
    at: request.nowMs,
    by: [leaf, issuing] satisfies [string, string],
    ephemeral: encode(ephemeral),
  };
  const { key, iv } = agree(exchange.computeSecret(pointOf(to.publicKey)), ephemeral, to.publicKey);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  cipher.setAAD(bytesOf(head));
  const text = Buffer.concat([cipher.update(request.secret), cipher.final(), cipher.getAuthTag()]);
  const whole: Envelope = { ...head, text: encode(text) };
  const signature = sign('sha256', bytesOf(whole), { key: by.privateKey, dsaEncoding: 'ieee-p1363' });
  return JSON.stringify({ ...whole, signature: encode(signature) });
}

/** `key`: the node's own. What is refused is told; what the secret is never stands in a refusal. */
export function unseal(text: string, context: string, key: SealingKey, trust: Trust): Unsealed {
  const parsed = parse(text);
  if (parsed === null) return refuse('malformed', 'this is no sealed text of ours');
  const { signature, ...whole } = parsed;
  if (whole.cluster !== trust.cluster) return refuse('other-cluster', `it is of cluster ${whole.cluster}`);
  if (whole.context !== context)
    return refuse('other-context', `it was sealed for ${whole.context}, not for ${context}`);
  if (whole.to !== key.node) return refuse('other-key', `it was sealed to ${whole.to}, this is ${key.node}`);
  if (whole.key !== encode(thumbprint(key.publicKey))) {
    return refuse('other-key', `it was sealed to a sealing key that ${key.node} has no more`);
  }
  const signer = signerOf(whole, trust);
  if ('refusal' in signer) return signer;
  const verification = { key: signer.publicKey, dsaEncoding: 'ieee-p1363' } as const;
  if (!verify('sha256', bytesOf(whole), verification, decode(signature))) {
    return refuse('signature-wrong', `this is not what ${signer.node} has signed`);
  }
  const secret = decipher(whole, key);
  if (secret === null) return refuse('undecipherable', `${key.node}'s sealing key does not open it`);
  return { ok: true, secret, sealedBy: signer.node, sealedAtMs: whole.at };
}

/**
 * Judged as of when it was sealed: a secret has to be readable after its signer's certificate has expired, and after its
 * signer is gone. What was sealed from his revocation on is refused; what he sealed before stays readable, since every secret would
 * be lost with him otherwise.
 */
function signerOf(whole: Envelope, trust: Trust): SealingCertificate | (Unsealed & { readonly ok: false }) {
  let chainPem: string;
  try {
    chainPem = whole.by.map((der) => new X509Certificate(decode(der)).toString()).join('');
  } catch {
    return refuse('malformed', "its signer's certificate can't be read");
  }
  const revoked = new Map([...(trust.revoked ?? [])].filter(([, sinceMs]) => sinceMs <= whole.at));
  const found = sealingCertificateOf(judgeChain(chainPem, { ...trust, revoked }, whole.at), chainPem);
  if (!found.ok) return refuse('signer-untrusted', `its signer: ${found.because}`);
  if (!found.value.maySeal)
    return refuse('signer-untrusted', `${found.value.node} is no database node: it may not seal`);
  return found.value;
}

function decipher(whole: Envelope, own: SealingKey): Buffer | null {
  const ephemeral = decode(whole.ephemeral);
  const text = decode(whole.text);
  if (text.length < tagBytes) return null;
  const { text: _, ...head } = whole;
  try {
    const shared = diffieHellman({ privateKey: own.privateKey, publicKey: publicKeyOf(ephemeral) });
    const { key, iv } = agree(shared, ephemeral, own.publicKey);
    const cipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
    cipher.setAAD(bytesOf(head));
    cipher.setAuthTag(text.subarray(text.length - tagBytes));
    return Buffer.concat([cipher.update(text.subarray(0, text.length - tagBytes)), cipher.final()]);
  } catch {
    return null; // a point that is not on the curve, or a wrong tag
  }
}

/** Both public keys go into it: else one ciphertext could have several readings (RFC 9180 section 4.1 does the same). */
function agree(shared: Buffer, ephemeral: Buffer, recipient: KeyObject): { readonly key: Buffer; readonly iv: Buffer } {
  const info = Buffer.concat([Buffer.from(purpose), ephemeral, pointOf(recipient)]);
  const bytes = Buffer.from(hkdfSync('sha256', shared, Buffer.alloc(0), info, keyBytes + ivBytes));
  return { key: bytes.subarray(0, keyBytes), iv: bytes.subarray(keyBytes) };
}

/** Only what we would have written ourselves: no blank, no other order, no second spelling of the same bytes. */
function parse(text: string): z.infer<typeof signed> | null {
  if (text.length > largestText) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const result = signed.safeParse(value);
  if (!result.success) return null;
  const { version, cluster, context, to, key, at, by, ephemeral, text: sealed, signature } = result.data;
  const ordered = { version, cluster, context, to, key, at, by, ephemeral, text: sealed, signature };
  if (JSON.stringify(ordered) !== text) return null;
  const encoded = [key, ...by, ephemeral, sealed, signature];
  return encoded.every((one) => encode(decode(one)) === one) ? ordered : null;
}

/** The purpose stands before it, so that no signature of ours for anything else can be taken for one of these. */
function bytesOf(head: object): Buffer {
  return Buffer.from(`${purpose}\n${JSON.stringify(head)}`);
}

/** The uncompressed point (SEC 1, 2.3.3): 4, x, y. */
function pointOf(key: KeyObject): Buffer {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return Buffer.concat([Buffer.of(4), decode(x), decode(y)]);
}

/** Throws when the point is not on the curve. */
function publicKeyOf(point: Buffer): KeyObject {
  if (point.length !== 65 || point[0] !== 4) throw new RangeError('no uncompressed point of P-256');
  const [x, y] = [encode(point.subarray(1, 33)), encode(point.subarray(33))];
  return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
}

function thumbprint(key: KeyObject): Buffer {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

function refuse(refusal: SealRefusal, because: string): Unsealed & { readonly ok: false } {
  return { ok: false, refusal, because };
}

function encode(bytes: Buffer): string {
  return bytes.toString('base64url');
}

function decode(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}
